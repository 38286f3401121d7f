package views

// SignOn is the account page's section on single sign-on.
type SignOn struct {
	Name      string // what people call the provider; empty if there is none
	Connected bool
	Needed    bool   // nothing else signs the person in
	Email     string // the address there; may be empty
	Since     Stamp
	Used      Stamp
}

// words names the provider, also one that is not there any more.
func (v SignOn) words() string {
	if v.Name == "" {
		return "single sign-on"
	}
	return v.Name
}

func (v SignOn) line() string {
	if v.Email == "" {
		return v.Name + " signs you in."
	}
	return v.Name + " signs you in as " + v.Email + "."
}

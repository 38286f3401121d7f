package views

import "time"

// Life is what a page shows of a value's age, and of what is to be done about it.
type Life struct {
	// Age is of the value in use; the zero Stamp while there is none.
	Age   Stamp
	Needs []Need
	// RotateEvery is in days, 0 for no reminder.
	RotateEvery int
	RotateAt    Stamp
	ExpiresAt   Stamp
}

// Need is one thing that a secret asks of people.
type Need struct {
	Kind string // of the badge
	Text string
	At   Stamp
}

// LifeForm is the form of a secret's reminder and of the end of its value.
type LifeForm struct {
	Key    string
	Every  string // days, as typed
	Ends   string // a date, as typed
	Errors FieldErrors
}

// EndFields are the fields of a form in which a value is given.
type EndFields struct {
	Every, Ends string
}

// Old makes a Stamp whose words are an age.
func Old(at, now time.Time) Stamp {
	const day = 24 * time.Hour
	d := now.Sub(at)
	words := ""
	switch {
	case at.IsZero():
		return Stamp{}
	case d < day:
		words = "new today"
	case d < 60*day:
		words = count(int(d/day), "day") + " old"
	case d < 730*day:
		words = count(int(d/(30*day)), "month") + " old"
	default:
		words = count(int(d/(365*day)), "year") + " old"
	}
	return Stamp{At: at, Relative: words}
}

// Day makes a Stamp of a date.
func Day(at time.Time) Stamp {
	if at.IsZero() {
		return Stamp{}
	}
	return Stamp{At: at, Relative: at.UTC().Format("2 Jan 2006")}
}

// showDue is what the address of the list says where only those are shown that
// are due.
const showDue = "due"

// due is the list with only those that are due, or with all, from its first page.
func (l ListState) due(only bool) ListState { return ListState{Sort: l.Sort, Due: only} }

func (f EndFields) any() bool { return f.Every != "" || f.Ends != "" }

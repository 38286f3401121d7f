package views

import "strconv"

// DeleteSecrets asks whether to delete several secrets, by their names.
type DeleteSecrets struct {
	Keys []DeleteKey
	List ListState
}

// DeleteKey is one of them.
type DeleteKey struct {
	Key    string
	UsedBy []UseRow // apps that declare the key, or whose runs have received it
}

// Undo takes back what was just deleted, for a short while. It is a form, with
// what each form carries.
type Undo struct {
	ID         string
	CSRF, Team string
	Message    string
}

func (u Undo) action() string { return "/settings/deletions/" + u.ID + "/undo" }

func (d DeleteSecrets) title() string {
	return "Delete " + strconv.Itoa(len(d.Keys)) + " secrets?"
}

// with counts the keys whose lack has that effect on the next run of an app.
func (d DeleteSecrets) with(effect string) (n int) {
	for _, k := range d.Keys {
		if len(only(k.UsedBy, effect)) > 0 {
			n++
		}
	}
	return n
}

// affected are the apps whose next run is another one without the key.
func (k DeleteKey) affected() []UseRow {
	return append(only(k.UsedBy, EffectFails), only(k.UsedBy, EffectGoesOn)...)
}

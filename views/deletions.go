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
	UsedBy []AppRef // apps that declare the key
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

// used counts the keys that some app declares.
func (d DeleteSecrets) used() (n int) {
	for _, k := range d.Keys {
		if len(k.UsedBy) > 0 {
			n++
		}
	}
	return n
}

package views

import "strconv"

// Revealed is a value in the open, for who asked for it and has proved lately
// who they are. Nothing but [RevealDialog] shows it.
type Revealed struct {
	Key     string
	Version int
	Value   string
	Seconds int    // until it is hidden again
	Home    string // where it was asked for
}

func revealURL(key string) string { return secretURL(key) + "/reveal" }

func (r Revealed) seconds() string { return strconv.Itoa(r.Seconds) }

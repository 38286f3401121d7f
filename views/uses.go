package views

// Uses says who has a secret.
type Uses struct {
	Rows []UseRow
	// Version is the one in use. Old is how many app versions last received
	// another one, and OldLast when any run last did.
	Version, Old int
	OldLast      Stamp
	// Unread is how many entries of the log are still being read.
	Unread int
}

// Receivers are the apps that receive the key now.
func (u Uses) Receivers() (out []UseRow) {
	for _, row := range u.Rows {
		if row.Effect != EffectSame {
			out = append(out, row)
		}
	}
	return out
}

// The effects that the lack of a key has on an app's next run.
const (
	EffectFails  = "fails"
	EffectGoesOn = "goes_on"
	EffectSame   = "same"
)

// UseRow is an app that declares the key, or whose runs have received it.
type UseRow struct {
	AppRef
	// Current is the number of the version that runs; 0 if the app is gone.
	Current int
	As      string // the declared key, where it is another name
	Needs   string // required, optional, or empty where it is not declared
	Effect  string
	Because string // why the next run is the same without the key
	LastRun Stamp
	Holders []HolderRow
}

// HolderRow is an app's version whose runs have received the key.
type HolderRow struct {
	AppVersion int // 0 where it was not recorded
	Version    int
	At         Stamp
	RunID      string
	Old        bool // it is not the version in use
	NoMore     bool // its last run did not receive the key
	Before     int  // the version that runs had received before
	BeforeAt   Stamp
}

func (h HolderRow) label() string {
	if h.AppVersion == 0 {
		return "an earlier version"
	}
	return version(h.AppVersion)
}

// only are the rows with an effect.
func only(rows []UseRow, effect string) (out []UseRow) {
	for _, row := range rows {
		if row.Effect == effect {
			out = append(out, row)
		}
	}
	return out
}

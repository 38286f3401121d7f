// Package views renders every page and partial that a person sees.
//
// A view model is shaped like its page and holds text and times, already
// decided: who may do what, which words an error has, which rows match. Nothing
// in this package can name the type that holds a secret's plaintext. The two
// strings that must reach a person once, a new API key and the code of a device
// login, are fields of their own: [NewAPIKey].Token and [DeviceForm].Code. So is
// a value that a person asked to see: [Revealed].Value.
//
// Every page works without JavaScript by plain links and forms. With it, htmx
// fetches the same addresses and swaps the partials of this package.
package views

import (
	"strconv"
	"time"

	"infsh/static"
)

// Theme is the remembered choice of colours. The zero value follows the system.
type Theme string

// The themes that POST /theme accepts.
const (
	ThemeSystem Theme = "system"
	ThemeLight  Theme = "light"
	ThemeDark   Theme = "dark"
)

// ParseTheme reads the theme cookie; anything unknown is ThemeSystem.
func ParseTheme(s string) Theme {
	switch Theme(s) {
	case ThemeLight, ThemeDark:
		return Theme(s)
	default:
		return ThemeSystem
	}
}

// Page is what every signed-in page shows around its content.
type Page struct {
	CSRF  string // token of the session, in each form as the field csrf
	Theme Theme
	Path  string // path of the request, marks the place in the navigation
	Email string // who is signed in
	Team  Team   // the session's current team; its ID is in each form as the field team
	Teams []Team // all teams of the user, the current one among them
	Flash *Flash // what the last action did, after a redirect
	// Stream is where the page waits for changes.
	Stream string
}

// Team is one of the user's teams with the user's role in it.
type Team struct {
	ID       string
	Username string
	Name     string
	Role     string // owner, admin or member
	// Environment is what the team is in its group, such as staging; all three
	// are empty for a team that stands alone.
	Environment, GroupID, GroupName string
}

// teamGroup is what the switcher shows together.
type teamGroup struct {
	Label string // empty for a team that stands alone
	Teams []Team
}

// groups puts the environments of one thing next to each other, where its first
// one stands.
func (p Page) groups() []teamGroup {
	var out []teamGroup
	at := map[string]int{}
	for _, t := range p.Teams {
		i, seen := at[t.GroupID]
		if t.GroupID == "" || !seen {
			at[t.GroupID] = len(out)
			out = append(out, teamGroup{Label: t.GroupName, Teams: []Team{t}})
			continue
		}
		out[i].Teams = append(out[i].Teams, t)
	}
	return out
}

// Label is the team's display name, or its username where it has none.
func (t Team) Label() string {
	if t.Name != "" {
		return t.Name
	}
	return t.Username
}

// Flash tells what an action did. Link leads to what usually comes next.
type Flash struct {
	Kind    FlashKind
	Message string
	LinkURL string
	Link    string
	Undo    *Undo // it can be undone for a while
}

// FlashKind chooses the icon and colour of a Flash or toast.
type FlashKind string

// The kinds of a Flash. The zero value is FlashInfo.
const (
	FlashInfo    FlashKind = "info"
	FlashSuccess FlashKind = "success"
	FlashWarning FlashKind = "warning"
	FlashError   FlashKind = "error"
)

// FieldErrors holds one sentence per field name; the key "" is the form as a
// whole. A sentence never quotes a secret's value.
type FieldErrors map[string]string

// Has says whether the field was refused.
func (e FieldErrors) Has(field string) bool { return e[field] != "" }

// Form is the error of the form as a whole, or empty.
func (e FieldErrors) Form() string { return e[""] }

// Stamp is a moment, shown with a machine-readable datetime. The zero Stamp
// renders as "never". Relative is the words that are shown ("2 hours ago"),
// with the full date as a title; where it is empty, the date itself is shown.
type Stamp struct {
	At       time.Time
	Relative string
}

// ISO is the moment in UTC as RFC 3339 with seconds.
func (s Stamp) ISO() string { return s.At.UTC().Format(time.RFC3339) }

// Full is the moment in UTC in words, for a title and for print.
func (s Stamp) Full() string { return s.At.UTC().Format("2 January 2006, 15:04:05 UTC") }

// Text is what a person reads first.
func (s Stamp) Text() string {
	switch {
	case s.At.IsZero():
		return "never"
	case s.Relative != "":
		return s.Relative
	default:
		return s.At.UTC().Format("2 Jan 2006, 15:04 UTC")
	}
}

// Ago makes a Stamp whose words are relative to now.
func Ago(at, now time.Time) Stamp {
	d := now.Sub(at)
	switch {
	case at.IsZero():
		return Stamp{}
	case d < time.Minute:
		return Stamp{At: at, Relative: "just now"}
	case d < time.Hour:
		return Stamp{At: at, Relative: count(int(d/time.Minute), "minute") + " ago"}
	case d < 24*time.Hour:
		return Stamp{At: at, Relative: count(int(d/time.Hour), "hour") + " ago"}
	case d < 30*24*time.Hour:
		return Stamp{At: at, Relative: count(int(d/(24*time.Hour)), "day") + " ago"}
	default:
		return Stamp{At: at, Relative: at.UTC().Format("2 Jan 2006")}
	}
}

// Pager links to the neighbours of a page of a list; an empty URL is no link.
type Pager struct {
	NewerURL string
	OlderURL string
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

func asset(name string) string { return static.URL(name) }

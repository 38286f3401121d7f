package views

import (
	"net/url"
	"strconv"
	"time"
)

// Activity is a page of the team's audit entries, newest first.
type Activity struct {
	Rows   []ActivityRow
	Filter ActivityFilter
	Kinds  []ActKinds
	Pager  Pager
	// SearchedTo is how far back was looked, where that was not far enough for a
	// page; ContinueURL looks on.
	SearchedTo  Stamp
	ContinueURL string
	// Chart is nil on all pages but the first.
	Chart *RunChart
}

// ActivityFilter is what is looked for. It stands in the query of the page's
// address, so that a reload and Back keep it.
type ActivityFilter struct {
	Key, App, Person, Kind, Outcome string
	// From and Until are days, such as 2026-03-01, and both are meant.
	From, Until string
}

// ActKinds are acts that are listed together. Name is that of all of them.
type ActKinds struct {
	Name, Label string
	Acts        []ActKind
}

// ActKind is an act and its words.
type ActKind struct{ Name, Label string }

// activityPath is the address of the page.
const activityPath = "/settings/activity"

// filterField is a field of the form, as it is in an address.
type filterField struct{ Name, Value string }

// fields are those that are set.
func (f ActivityFilter) fields() (out []filterField) {
	for _, one := range []filterField{
		{"key", f.Key}, {"app", f.App}, {"person", f.Person}, {"kind", f.Kind}, {"outcome", f.Outcome}, {"from", f.From}, {"until", f.Until},
	} {
		if one.Value != "" {
			out = append(out, one)
		}
	}
	return out
}

// Any reports that something is filtered.
func (f ActivityFilter) Any() bool { return len(f.fields()) > 0 }

// URL is the address of what is filtered: the entries before the number, or the
// newest ones.
func (f ActivityFilter) URL(before int64) string {
	q := url.Values{}
	for _, one := range f.fields() {
		q.Set(one.Name, one.Value)
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return activityPath
	}
	return activityPath + "?" + q.Encode()
}

// ActivityRow is one audit entry in words.
type ActivityRow struct {
	ID         string
	At         Stamp
	Who        string // email, or the name of an API key
	Credential string // the name of the API key or command line that was used
	Action     string // "Set a secret", "Resolved secrets for a run"
	Target     string // such as OPENAI_API_KEY or acme/summariser
	Allowed    bool
	Unchanged  bool   // it was allowed, and there was nothing to change
	Failed     bool   // it was permitted, and came to nothing
	Masked     bool   // what it reports was found in an app's output and masked
	Reason     string // why it was denied, or empty
	From       string // address
	RunID      string
	// AppVersion is that of a run, where it was recorded, and Received what the run
	// was given.
	AppVersion int
	Received   []ReceivedKey
}

// ReceivedKey is a version of a secret, and the name that the app has for it if
// that is another one.
type ReceivedKey struct {
	Key, As string
	Version int
}

// RunChart counts the runs of the last days, the oldest first.
type RunChart struct {
	Days []RunDay
	// CountedTo is up to when was counted so far; zero if all are.
	CountedTo Stamp
}

// RunDay is how many runs received their secrets on a day, and how many did not.
type RunDay struct {
	Day              time.Time
	Allowed, Refused int
}

func (c RunChart) totals() (allowed, refused int) {
	for _, d := range c.Days {
		allowed, refused = allowed+d.Allowed, refused+d.Refused
	}
	return allowed, refused
}

// words are what the chart shows.
func (c RunChart) words() string {
	allowed, refused := c.totals()
	return "In " + count(len(c.Days), "day") + ", " + counted(allowed, "run") + " received secrets and " + thousands(refused) + " did not."
}

func (c RunChart) most() int {
	most := 0
	for _, d := range c.Days {
		most = max(most, d.Allowed+d.Refused)
	}
	return most
}

// The chart is drawn in units of its own, which the page's width scales.
const (
	chartHeight = 96
	barStep     = 20
	barWidth    = 14
)

func (c RunChart) viewBox() string {
	return "0 0 " + strconv.Itoa(barStep*len(c.Days)) + " " + strconv.Itoa(chartHeight+1)
}

// bar is a part of a day's column.
type bar struct{ Class, X, Y, Width, Height string }

// bars are the columns: who received their secrets below, who did not above.
func (c RunChart) bars(i int) (out []bar) {
	most, y := c.most(), chartHeight
	for _, part := range []struct {
		class string
		n     int
	}{{"bar-allowed", c.Days[i].Allowed}, {"bar-refused", c.Days[i].Refused}} {
		if part.n == 0 {
			continue
		}
		// What is there is seen, however small.
		height := min(max(part.n*chartHeight/most, 2), y)
		y -= height
		out = append(out, bar{part.class, strconv.Itoa(i*barStep + (barStep-barWidth)/2), strconv.Itoa(y), strconv.Itoa(barWidth), strconv.Itoa(height)})
	}
	return out
}

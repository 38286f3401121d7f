package views

import (
	"net/url"
	"slices"
	"strconv"
)

// TeamsGrid puts the keys of several teams side by side, without their values.
type TeamsGrid struct {
	List GridState
	// Teams are those of the columns, and Choices all that may be chosen.
	Teams   []GridTeam
	Choices []GridChoice
	Most    int
	Rows    []GridRow
	// Total counts the keys that match, of which this page shows those from Before
	// on; Keys counts all.
	Total, Before, Keys int
	Next                string
	// Compared tells that values were compared, and CanCompare that they can be.
	Compared, CanCompare bool
	Error                string
}

// GridState is which part of the grid is seen. It stands in the query.
type GridState struct {
	In    []string // ids of teams; none for the usual ones
	Query string
	Only  bool   // only keys that differ
	From  string // the key that the page begins after
}

// GridTeam is a column.
type GridTeam struct {
	ID, Label, Username, Role string
	Current, CanEdit          bool
	// Compared tells that its values were compared.
	Compared bool
}

// GridChoice is a team that can be a column.
type GridChoice struct {
	ID, Label, Username string
	Chosen              bool
}

// GridRow is a key in each of the teams.
type GridRow struct {
	Key     string
	Differs bool
	Cells   []GridCell
}

// GridCell is a key in one team.
type GridCell struct {
	Version int // 0 where it is not set
	Staged  bool
	Since   Stamp
	// Same names the first team that has the same value; Other is true where another
	// team before it has another one.
	Same  string
	Other bool
}

// canEdit tells that keys can be set in any of the teams.
func (v TeamsGrid) canEdit() bool {
	return slices.ContainsFunc(v.Teams, func(t GridTeam) bool { return t.CanEdit })
}

// gridPath is the address of the page.
const gridPath = "/settings/environments"

func (l GridState) fields() (out []filterField) {
	for _, id := range l.In {
		out = append(out, filterField{"in", id})
	}
	if l.Query != "" {
		out = append(out, filterField{"q", l.Query})
	}
	if l.Only {
		out = append(out, filterField{"show", "differences"})
	}
	return out
}

// after is the address of the page that begins after a key; empty for the first.
func (l GridState) after(key string) string {
	q := url.Values{}
	for _, f := range l.fields() {
		q.Add(f.Name, f.Value)
	}
	if key != "" {
		q.Set("from", key)
	}
	if len(q) == 0 {
		return gridPath
	}
	return gridPath + "?" + q.Encode()
}

// gridFound says how much is seen.
func gridFound(v TeamsGrid) string {
	switch {
	case v.Total > len(v.Rows) && len(v.Rows) > 0:
		return thousands(v.Before+1) + " to " + thousands(v.Before+len(v.Rows)) + " of " + counted(v.Total, "key")
	case v.List.Only:
		return counted(v.Total, "key") + " with differences, of " + thousands(v.Keys)
	}
	return counted(v.Total, "key")
}

// cellWords is what a cell says to somebody who does not see the table.
func cellWords(row GridRow, i int, t GridTeam) string {
	c := row.Cells[i]
	where := row.Key + " in " + t.Label
	switch {
	case c.Version == 0 && t.CanEdit:
		return "Add " + where
	case c.Version == 0:
		return where + " is missing"
	}
	return where + ": version " + strconv.Itoa(c.Version)
}

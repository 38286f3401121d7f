package views

import (
	"slices"
	"strconv"
	"strings"
)

// Find is what a search over everything found. It looks in names alone.
type Find struct {
	Query  string
	Groups []FoundGroup
}

// FoundGroup is what was found of one kind.
type FoundGroup struct {
	Label string
	Items []Found
	More  string // where the rest of them is, or empty
}

// Found leads to a page by its URL, or switches to a team by its id.
type Found struct {
	Label  string
	Hint   string
	URL    string
	TeamID string
	Mono   bool
	icon   icon
}

// Matches says whether a name has the words of a search in it.
func Matches(name, query string) bool {
	name = strings.ToLower(name)
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(query)), func(word string) bool { return !strings.Contains(name, word) })
}

// Doing are the acts that a search offers beside the pages, to who may do them.
type Doing struct{ AddSecret, CreateAPIKey, Invite bool }

// FoundPages are the pages and acts that match.
func FoundPages(query string, may Doing) FoundGroup {
	items := make([]Found, 0, len(navItems))
	for _, item := range navItems {
		items = append(items, Found{Label: item.Label, URL: item.Href, icon: item.Icon})
	}
	if may.AddSecret {
		items = append(items, Found{Label: "Add a secret", URL: "/settings/secrets?add=", icon: iconPlus})
	}
	if may.CreateAPIKey {
		items = append(items, Found{Label: "Create an API key", URL: "/settings/apikeys?add=1", icon: iconPlus})
	}
	if may.Invite {
		items = append(items, Found{Label: "Invite a person", URL: "/settings/members?invite=1", icon: iconPlus})
	}
	items = append(items,
		Found{Label: "New team", URL: "/teams/new", icon: iconPlus},
		Found{Label: "API reference", URL: "/docs/api", icon: iconTerminal},
	)
	return FoundGroup{Label: "Pages", Items: slices.DeleteFunc(items, func(f Found) bool { return !Matches(f.Label, query) })}
}

// FoundKey is a team's key.
func FoundKey(key, description string) Found {
	return Found{Label: key, Hint: description, URL: secretURL(key), Mono: true, icon: iconKeyRound}
}

// FoundApp is a registered app.
func FoundApp(name, description string) Found {
	return Found{Label: name, Hint: description, URL: AppRef{Name: name}.URL(), icon: iconBox}
}

// FoundTeams are the teams of the user that match.
func (p Page) FoundTeams(query string) FoundGroup {
	group := FoundGroup{Label: "Teams"}
	for _, t := range p.Teams {
		if t.ID != p.Team.ID && Matches(t.Label()+" "+t.Username, query) {
			group.Items = append(group.Items, Found{Label: t.Label(), Hint: "Switch to " + t.Username, TeamID: t.ID, icon: iconBuilding})
		}
	}
	return group
}

// count is how many there are in all that are shown.
func (v Find) count() (n int) {
	for _, g := range v.Groups {
		n += len(g.Items)
	}
	return n
}

// says is announced after a search.
func (v Find) says() string {
	switch n := v.count(); {
	case n == 0:
		return "Nothing matches " + strconv.Quote(v.Query)
	case n == 1:
		return "1 result"
	default:
		return strconv.Itoa(n) + " results"
	}
}

func foundID(group, item int) string {
	return "found-" + strconv.Itoa(group) + "-" + strconv.Itoa(item)
}

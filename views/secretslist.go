package views

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// ListState is which part of the list of secrets is seen. It stands in the
// query of the page's address, so that a reload and Back keep it.
type ListState struct {
	Query string // what was searched for
	Sort  string // one of SecretSorts, or empty for the first of them
	From  string // the cursor of the page
	Due   bool   // only those that are due to be rotated, or end soon
}

// SecretSort is an order of the list. The names of the fields are the list's
// own; a minus before the name turns the order.
type SecretSort struct{ Name, Label string }

// SecretSorts are the orders that can be chosen; the first is the usual one.
var SecretSorts = []SecretSort{
	{"key", "Key, A to Z"},
	{"-key", "Key, Z to A"},
	{"-updated_at", "Last updated first"},
	{"updated_at", "Longest unchanged first"},
	{"-version", "Most versions first"},
	{"version", "Fewest versions first"},
}

// secretsPath is the address of the list's page.
const secretsPath = "/settings/secrets"

// URL is the address at which the list is in this state.
func (l ListState) URL() string { return l.with(url.Values{}) }

func (l ListState) with(q url.Values) string {
	for name, value := range map[string]string{"q": l.Query, "sort": l.Sort, "from": l.From} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if l.Due {
		q.Set("show", showDue)
	}
	if len(q) == 0 {
		return secretsPath
	}
	return secretsPath + "?" + q.Encode()
}

// addURL opens the form that adds a secret, over the list as it is.
func (l ListState) addURL() string { return l.with(url.Values{"add": {""}}) }

func (l ListState) sort() string {
	if l.Sort == "" {
		return SecretSorts[0].Name
	}
	return l.Sort
}

// sortedBy is the list sorted by a field, from its first page: in the order
// that first is, or in the other one where it is sorted so already.
func (l ListState) sortedBy(field, first string) ListState {
	next := first
	if l.sort() == first {
		next = "-" + field
		if strings.HasPrefix(first, "-") {
			next = field
		}
	}
	if next == SecretSorts[0].Name {
		next = ""
	}
	return ListState{Query: l.Query, Sort: next, Due: l.Due}
}

// direction is what aria-sort says of a column, empty where the list is not
// sorted by it.
func (l ListState) direction(field string) string {
	switch l.sort() {
	case field:
		return "ascending"
	case "-" + field:
		return "descending"
	}
	return ""
}

// secretsFound says how many secrets are seen, and is announced after a search.
func secretsFound(v Secrets) string {
	switch {
	case v.List.Query != "" && v.Total == 0:
		return "No secret matches " + strconv.Quote(v.List.Query)
	case v.Total > len(v.Rows) && len(v.Rows) > 0:
		return thousands(v.Before+1) + " to " + thousands(v.Before+len(v.Rows)) + " of " + counted(v.Total, "secret")
	case v.List.Query == "":
		return counted(v.Total, "secret")
	default:
		return counted(v.Total, "secret") + " found"
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands groups the digits of a large number.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// page is the list's address at a cursor.
func (v Secrets) page(from string) string {
	at := v.List
	at.From = from
	return at.URL()
}

// swapsTable are the attributes with which htmx fetches the list from an
// address, which becomes the page's.
func swapsTable(address string) templ.Attributes {
	return templ.Attributes{"hx-get": address, "hx-target": "#secrets-table", "hx-swap": "outerHTML", "hx-push-url": "true", "hx-sync": "#search-form:replace", "hx-indicator": "#secrets-table, #searching"}
}

// turnsPage does the same, and shows the page from its beginning.
func turnsPage(address string) templ.Attributes {
	attrs := swapsTable(address)
	attrs["hx-swap"] = "outerHTML show:top"
	return attrs
}

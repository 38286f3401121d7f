package views

import (
	"strconv"
	"strings"

	"github.com/a-h/templ"
)

// textInput is a labelled input with its hint and error.
type textInput struct {
	ID, Name, Label, Type     string
	Value                     string
	Hint, Error               string
	Autocomplete, Placeholder string
	Required, Optional, Mono  bool
	Focus                     bool
	Extra                     templ.Attributes
}

// describe ties hint and error to the control for assistive technology, and
// asks for the focus where the error is.
func (t textInput) describe() templ.Attributes {
	attrs := described(t.ID, t.Hint != "", t.Error)
	for name, value := range t.Extra {
		attrs[name] = value
	}
	if t.Mono {
		attrs["class"] = "input mono"
	}
	return attrs
}

// described are the attributes of a control whose hint has the id ID-hint and
// whose error has the id ID-error.
func described(id string, hint bool, problem string) templ.Attributes {
	var by []string
	attrs := templ.Attributes{"class": "input"}
	if problem != "" {
		by = append(by, id+"-error")
		attrs["aria-invalid"] = "true"
	}
	if hint {
		by = append(by, id+"-hint")
	}
	if len(by) > 0 {
		attrs["aria-describedby"] = strings.Join(by, " ")
	}
	return attrs
}

// focusOn says whether a field takes the focus when its form appears: the
// first refused field in the form's order, else the form's first.
func focusOn(errors FieldErrors, field string, order ...string) bool {
	for _, name := range order {
		if errors.Has(name) {
			return name == field
		}
	}
	return len(order) > 0 && order[0] == field
}

// spokenMask is what a screen reader says for a masked value: bullets are noise.
func spokenMask(masked string) string {
	if tail := strings.TrimLeft(masked, "•"); tail != "" {
		return "hidden, ends in " + tail
	}
	return "hidden"
}

func version(n int) string { return "v" + strconv.Itoa(n) }

type navItem struct {
	Href, Label string
	Icon        icon
	Note        string
}

var navItems = []navItem{
	{"/settings/secrets", "Secrets", iconKeyRound, ""},
	{"/settings/integrations", "Integrations", iconPlug, ""},
	{"/settings/apps", "Apps", iconBox, ""},
	{"/settings/apikeys", "API keys", iconTerminal, ""},
	{"/settings/runners", "Runners", iconShieldCheck, ""},
	{"/settings/members", "Members", iconUsers, ""},
	{"/settings/team", "Team", iconBuilding, ""},
	{"/settings/environments", "All teams", iconTable, ""},
	{"/settings/webhooks", "Webhooks", iconWebhook, ""},
	{"/settings/activity", "Activity", iconActivity, ""},
	{"/settings/account", "Account", iconUser, ""},
}

// here says whether the page belongs to the item of the navigation.
func (n navItem) here(path string) bool {
	return path == n.Href || strings.HasPrefix(path, n.Href+"/")
}

// currentLabel names the place for the menu button on a phone.
func currentLabel(path string) string {
	for _, item := range navItems {
		if item.here(path) {
			return item.Label
		}
	}
	return "Settings"
}

func flashIcon(kind FlashKind) icon {
	switch kind {
	case FlashSuccess:
		return iconCircleCheck
	case FlashWarning:
		return iconTriangleAlert
	case FlashError:
		return iconCircleX
	default:
		return iconInfo
	}
}

// roleWords says what a role may do, in one sentence.
func roleWords(role string) string {
	switch role {
	case "owner":
		return "Everything, and the team itself: its owners, its name, its end."
	case "admin":
		return "Adds, changes and deletes secrets; manages API keys and members."
	default:
		return "Sees the masked list, deploys apps and runs them."
	}
}

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// htmxConfig keeps htmx within the content security policy (no eval, no inline
// style or script), within this site, and without a cache of pages: signed-in
// pages leave nothing in the browser's storage. Refusals are pages too and are
// shown where the answer was expected.
const htmxConfig = `{"allowEval":false,"allowScriptTags":false,"includeIndicatorStyles":false,` +
	`"selfRequestsOnly":true,"historyCacheSize":0,"historyRestoreAsHxRequest":false,"refreshOnHistoryMiss":true,` +
	`"methodsThatUseUrlParams":["get"],"responseHandling":[` +
	`{"code":"204","swap":false},{"code":"[23]..","swap":true},` +
	`{"code":"(400|403|404|409|412|413|422|429)","swap":true,"error":false},` +
	`{"code":"[45]..","swap":false,"error":true}]}`

func pressed(on bool) string { return strconv.FormatBool(on) }

// initial is the first letter of an email, for the avatar.
func initial(email string) string {
	for _, r := range email {
		return strings.ToUpper(string(r))
	}
	return "?"
}

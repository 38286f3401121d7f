package secret

import (
	"fmt"
	"net/url"
	"strings"
	"unique"

	"infsh/envvar"
	"infsh/integration"
)

// State is how a declared key stands in a team: injected, or why not.
type State string

const (
	Set             State = "set"
	Missing         State = "missing"
	MissingOptional State = "missing_optional"
	// Unavailable is an integration that this server's catalogue does not have.
	Unavailable State = "unavailable"
	// NotConnected, NeedsScopes and Lapsed are integrations that somebody has to
	// connect, to let do more, or to connect again.
	NotConnected State = "not_connected"
	NeedsScopes  State = "needs_scopes"
	Lapsed       State = "expired"
	// Collides is an integration that gives a name which the app receives from
	// elsewhere too.
	Collides State = "collision"
	// Waiting, Revoked and NotGranted are keys that the team has not granted
	// to the app: not yet, not any more, and nobody has deployed the app with it.
	Waiting    State = "waiting"
	Revoked    State = "revoked"
	NotGranted State = "not_granted"
	// Refused is a name that may not be in an environment, though it was
	// declared under older rules.
	Refused State = "refused"
)

// NearMiss is a key that is set and may be the one that was meant. Team is the
// other team of the caller in which the very key is set, else empty.
type NearMiss struct {
	Key    envvar.Key
	Reason string
	Team   string
}

// Item is one requirement held against a team's grants and secrets.
type Item struct {
	Requirement
	// App is namespace/name of the app that asks; empty if none does.
	App   string
	State State
	// Grant is that of the declared key; its SourceKey gives the value.
	Grant Grant
	// Version is that of the team's secret. A resolution doesn't look for the
	// secret of a key that is not granted; then it is 0.
	Version int64
	// StagedVersion is set where the only versions of a missing secret are
	// staged ones: the newest of them.
	StagedVersion int64
	NearMisses    []NearMiss
	// Link is what is known of an integration.
	Link Link
	// looked tells that the secret was looked for whether granted or not.
	looked bool
}

// unset reports whether it is known that the team has not set the secret.
func (i Item) unset() bool {
	switch i.State {
	case Missing, MissingOptional:
		return true
	case Waiting, Revoked, NotGranted:
		return i.Kind == KindSecret && i.looked && i.Version == 0
	}
	return false
}

// Source is the team's key whose value is given.
func (i Item) Source() envvar.Key { return i.Grant.source(envvar.Key(i.Key)) }

// Blocks reports whether the item keeps the app from running.
func (i Item) Blocks() bool { return !i.Optional && i.State != Set }

// evaluate is the decision: a key is injected if the version declares it, the
// team grants it to the app, and it is set. The resolution, the checks, the
// app's page and Why all use it, so they can't differ. Held is by declared key.
// An integration is injected if the version declares it, the team grants it to
// the app, and has connected an account that may do what is declared.
func evaluate(app string, declared []Requirement, grants Grants, held map[envvar.Key]Held, links Links) []Item {
	items := make([]Item, 0, len(declared))
	for _, req := range declared {
		item := Item{Requirement: req, App: app}
		if req.Kind != KindSecret {
			items = append(items, links.evaluate(item, grants))
			continue
		}
		key := envvar.Key(req.Key)
		item.Grant = grants[key]
		h, isSet := held[key]
		if isSet {
			item.Version = h.Version
		}
		switch state := item.Grant.State; {
		case key.Permit(true) != nil:
			item.State = Refused
		case state == GrantWaiting:
			item.State = Waiting
		case state == GrantRevoked:
			item.State = Revoked
		case !state.gives():
			item.State = NotGranted
		case isSet:
			item.State = Set
		case req.Optional:
			item.State = MissingOptional
		default:
			item.State = Missing
		}
		items = append(items, item)
	}
	collide(items)
	return items
}

func blocking(items []Item) []Item {
	var out []Item
	for _, item := range items {
		if item.Blocks() {
			out = append(out, item)
		}
	}
	return out
}

// Disclosure is what a run receives, or why not. A store may keep it for as long
// as what it was made of stays as it was, so it holds no more than it must.
type Disclosure struct {
	App       string // namespace/name
	VersionID string
	Version   int64 // its number
	// WrappedDEK is the team's wrapped keyset, under which the values are sealed.
	WrappedDEK []byte
	Given      []Given
	// Issued are the declared integrations that it receives values of.
	Issued []Issued
	// MissingOptional are declared, optional, and not set or not granted.
	MissingOptional []string
	// Blocking are those that keep the app from running: then nothing is given.
	Blocking []Item
}

// Given is a declared key with the team's secret that it receives.
type Given struct {
	Key, Source envvar.Key
	Version     int64
	Sealed      []byte
}

// Decide makes the decision on what was read for a run.
func (d RunData) Decide(catalogue *integration.Catalogue) *Disclosure {
	out := &Disclosure{App: d.App, VersionID: d.VersionID, Version: d.Version, WrappedDEK: d.WrappedDEK}
	for _, item := range evaluate(d.App, d.Requirements, d.Grants, d.Held, Links{catalogue, d.Connections}) {
		switch {
		case item.Blocks():
			out.Blocking = append(out.Blocking, item)
		case item.State == Set && item.Kind == KindIntegration:
			out.Issued = append(out.Issued, item.issued())
		case item.State == Set:
			// Teams have many names in common.
			key, h := envvar.Key(unique.Make(item.Key).Value()), d.Held[envvar.Key(item.Key)]
			source := key
			if h.Key != key {
				source = h.Key
			}
			out.Given = append(out.Given, Given{Key: key, Source: source, Version: h.Version, Sealed: h.Sealed.Value})
		default:
			out.MissingOptional = append(out.MissingOptional, item.Key)
		}
	}
	return out
}

// Size is about the memory that the disclosure takes, in bytes.
func (d *Disclosure) Size() int {
	n := 256 + len(d.App) + len(d.VersionID) + len(d.WrappedDEK) + 1024*len(d.Blocking)
	for _, g := range d.Given {
		n += 96 + len(g.Sealed)
	}
	for _, i := range d.Issued {
		n += 512 + len(i.Sealed)
	}
	for _, key := range d.MissingOptional {
		n += 16 + len(key)
	}
	return n
}

// Message says what is wrong and why, in sentences.
func (i Item) Message(teamName string) string {
	var b strings.Builder
	source := i.Source()
	needed := "required"
	if i.Optional {
		needed = "optional"
	}
	if text := i.linkMessage(teamName); text != "" {
		return text
	}
	switch i.State {
	case Set:
		if i.Grant.Bound() {
			return fmt.Sprintf("%s is set: it receives %s.", i.Key, source)
		}
		return fmt.Sprintf("%s is set.", i.Key)
	case Refused:
		return fmt.Sprintf("It can't be injected: %v.", envvar.Key(i.Key).Permit(true))
	case Waiting:
		fmt.Fprintf(&b, "%s is %s and waits for approval: an owner or admin of team %s has to let %s have it.", i.Key, needed, teamName, i.App)
	case Revoked:
		fmt.Fprintf(&b, "%s is %s and was revoked: an owner or admin of team %s took it from %s, and can approve it again.", i.Key, needed, teamName, i.App)
	case NotGranted:
		fmt.Fprintf(&b, "%s is %s and needs approval: %s has not been granted it. Deploy the app, and an owner or admin of team %s approves it.", i.Key, needed, i.App, teamName)
	default:
		if i.StagedVersion > 0 {
			return fmt.Sprintf("%s is not in use in team %s yet: its version %d is staged. Activate it.", source, teamName, i.StagedVersion)
		}
		if i.Grant.Bound() {
			fmt.Fprintf(&b, "%s is %s and bound to %s, which is not set in team %s.", i.Key, needed, source, teamName)
		} else {
			fmt.Fprintf(&b, "%s is %s and not set in team %s.", i.Key, needed, teamName)
		}
	}
	if i.unset() && i.State != Missing && i.State != MissingOptional {
		fmt.Fprintf(&b, " %s is not set in team %s either.", source, teamName)
	}
	for _, near := range i.NearMisses {
		if near.Team != "" {
			fmt.Fprintf(&b, " It is set in your team %s, and this run uses %s.", near.Team, teamName)
			continue
		}
		fmt.Fprintf(&b, " %s is set (%s).", near.Key, near.Reason)
	}
	return b.String()
}

// ActionURL is where a person fixes the item, relative to the public URL: the
// page of the app that has to be granted the key, the Add dialog, filled in, or
// the history of a secret that is staged.
func (i Item) ActionURL() string {
	if i.Kind == KindIntegration && i.Grant.State.gives() {
		return i.linkURL()
	}
	switch i.State {
	case Waiting, Revoked, NotGranted:
		return AppURL(i.App)
	}
	if i.StagedVersion > 0 {
		return "/settings/secrets/" + url.PathEscape(string(i.Source()))
	}
	q := "/settings/secrets?add=" + url.QueryEscape(string(i.Source()))
	if i.Description != "" {
		q += "&description=" + url.QueryEscape(i.Description)
	}
	return q
}

// AppURL is an app's page, relative to the public URL.
func AppURL(app string) string {
	if app == "" {
		return "/settings/apps"
	}
	return "/settings/apps/" + app
}

// Binding is the team's key that is proposed to be bound to the declared one;
// empty if there is none: it is set, and may be the one that is meant.
func (i Item) Binding() envvar.Key {
	for _, near := range i.NearMisses {
		if near.Team == "" {
			return near.Key
		}
	}
	return ""
}

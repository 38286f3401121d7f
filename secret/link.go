package secret

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
	"infsh/integration"
	"infsh/problem"
	"infsh/team"
)

// Links are what the integrations of a decision are found in.
type Links struct {
	Catalogue   *integration.Catalogue
	Connections []integration.Held
}

// Link is what the decision knows of a declared integration.
type Link struct {
	// Provider is the id of the catalogue's, and Name what people call it; empty
	// where the catalogue does not have it.
	Provider, Name string
	// Capability is what it lets an app do, in words.
	Words string
	// Whole says what an app that is let have it can do, which is more than what it
	// declares; in a check only.
	Whole string
	// Connection is the account that serves it, if one is there.
	Connection integration.Connection
	// Lacking are the scopes that the account was not given yet.
	Lacking []string
	// Names are what the app's environment receives.
	Names []string
	// With is what gives one of the Names too, and Unknown are names that were
	// asked for and that it does not give.
	With    string
	Unknown []string
	// Connect is the command that connects what serves it, where that is to be done.
	Connect string

	sealed []byte
}

// Issued is an integration of which a run receives values.
type Issued struct {
	Key        string
	Optional   bool
	Name       string // the provider's
	Connection integration.Connection
	Names      []string
	Sealed     []byte
}

func (i Item) issued() Issued {
	return Issued{Key: i.Key, Optional: i.Optional, Name: i.Link.Name, Connection: i.Link.Connection, Names: i.Link.Names, Sealed: i.Link.sealed}
}

// links reads the team's connections, where they are needed.
func (s *Service) links(ctx context.Context, r Reader, actor team.Actor, reqs []Requirement) (Links, error) {
	out := Links{Catalogue: s.catalogue}
	if !slices.ContainsFunc(reqs, func(r Requirement) bool { return r.Kind == KindIntegration }) {
		return out, nil
	}
	var err error
	out.Connections, err = r.Connections(ctx, actor.TeamID())
	return out, err
}

// evaluate is the decision about an integration.
func (l Links) evaluate(item Item, grants Grants) Item {
	key := item.GrantKey()
	item.Grant = grants[key]
	capability, known := l.Catalogue.Find(item.Key)
	if known {
		item.Link.Provider, item.Link.Name, item.Link.Words = capability.Provider.ID, capability.Provider.Name, capability.Words
	}
	switch state := item.Grant.State; {
	case !known:
		item.State = Unavailable
		return item
	case state == GrantWaiting:
		item.State = Waiting
		return item
	case state == GrantRevoked:
		item.State = Revoked
		return item
	case !state.gives():
		item.State = NotGranted
		return item
	}
	chosen := ""
	if item.Grant.Bound() {
		chosen = string(item.Grant.SourceKey)
	}
	held, there := capability.Choose(l.Connections, chosen)
	if !there {
		item.State, item.Link.Connect = NotConnected, l.Catalogue.Command(item.Key, "")
		return item
	}
	item.Link.Connection, item.Link.sealed = held.Connection, held.Sealed
	kind, ok := capability.Provider.Kind(held.Type)
	if !ok || !held.Usable() {
		item.State, item.Link.Connect = Lapsed, l.Catalogue.Command(item.Key, held.Type)
		return item
	}
	item.Link.Lacking = held.Lacking(capability.Provider, slices.Concat(capability.Scopes, item.Scopes))
	item.Link.Names = kind.Names()
	if len(item.Secrets) > 0 {
		item.Link.Unknown = slices.DeleteFunc(slices.Clone(item.Secrets), func(n string) bool { return slices.Contains(item.Link.Names, n) })
		item.Link.Names = slices.DeleteFunc(slices.Clone(item.Link.Names), func(n string) bool { return !slices.Contains(item.Secrets, n) })
	}
	switch {
	case len(item.Link.Unknown) > 0:
		item.State = Unavailable
	case len(item.Link.Lacking) > 0:
		item.State, item.Link.Connect = NeedsScopes, l.Catalogue.Command(item.Key, held.Type)
	default:
		item.State = Set
	}
	return item
}

// whole says what each integration gives, whether it is granted or not.
func (l Links) whole(items []Item) {
	for i := range items {
		item := &items[i]
		if item.Kind != KindIntegration {
			continue
		}
		chosen := ""
		if item.Grant.Bound() {
			chosen = string(item.Grant.SourceKey)
		}
		item.Link.Whole = l.Catalogue.Whole(item.Key, l.Connections, chosen)
	}
}

// collide marks integrations that would give a name which the app receives from
// a secret, or from another account.
func collide(items []Item) {
	from := map[string]string{}
	for _, item := range items {
		if item.Kind == KindSecret && item.State == Set {
			from[item.Key] = "the secret " + item.Key
		}
	}
	owner := map[string]string{}
	for i := range items {
		item := &items[i]
		if item.Kind != KindIntegration || item.State != Set {
			continue
		}
		for _, name := range item.Link.Names {
			if by := from[name]; by != "" && owner[name] != item.Link.Connection.ID {
				item.State, item.Link.With = Collides, by
				item.Link.Unknown = []string{name}
				break
			}
		}
		if item.State == Set {
			for _, name := range item.Link.Names {
				from[name], owner[name] = item.Key, item.Link.Connection.ID
			}
		}
	}
}

// linkMessage says what is wrong with an integration; empty for a secret, and
// for what is said of both in the same words.
func (i Item) linkMessage(teamName string) string {
	if i.Kind != KindIntegration {
		return ""
	}
	needed := "required"
	if i.Optional {
		needed = "optional"
	}
	c := i.Link.Connection
	switch i.State {
	case Set:
		return fmt.Sprintf("%s is connected: it receives %s from %s.", i.Key, strings.Join(i.Link.Names, ", "), c.Name())
	case NotConnected:
		return fmt.Sprintf("%s is %s, and %s is not connected in team %s.", i.Key, needed, i.Link.Name, teamName)
	case NeedsScopes:
		return fmt.Sprintf("%s is %s, and %s (%s) was not allowed to do that yet: %s.", i.Key, needed, c.Name(), i.Link.Name, strings.Join(i.Link.Lacking, ", "))
	case Lapsed:
		return fmt.Sprintf("%s is %s, and the connection to %s (%s) has ended. Connect it again.", i.Key, needed, i.Link.Name, c.Name())
	case Collides:
		return fmt.Sprintf("%s gives %s, which the app receives from %s too. Declare one of the two, or name under “secrets” of the integration what it is to give.", i.Key, strings.Join(i.Link.Unknown, ", "), i.Link.With)
	case Unavailable:
		if len(i.Link.Unknown) > 0 {
			return fmt.Sprintf("%s gives %s, and not %s, which the app asks of it.", i.Key, strings.Join(i.Link.Names, ", "), strings.Join(i.Link.Unknown, ", "))
		}
		return fmt.Sprintf("%s is no integration that this server knows.", i.Key)
	}
	return ""
}

// linkURL is where a person connects it, or lets it do more.
func (i Item) linkURL() string {
	if i.Link.Provider == "" {
		return "/settings/integrations"
	}
	q := url.Values{"need": {i.Key}}
	for _, s := range i.Scopes {
		q.Add("scope", s)
	}
	if i.Link.Connection.ID != "" && i.State != Set {
		q.Set("account", i.Link.Connection.ID)
	}
	return "/settings/integrations/" + url.PathEscape(i.Link.Provider) + "?" + q.Encode()
}

// linkSteps explain the decision about an integration.
func (i Item) linkSteps(teamName string) []Step {
	if i.Link.Provider == "" {
		return []Step{{Name: StepAllowed, Text: "it is no integration that this server knows", Todo: "Declare one that Settings → Integrations lists, and deploy."}}
	}
	steps := []Step{i.grantStep(teamName)}
	if !i.Grant.State.gives() {
		return steps
	}
	c := i.Link.Connection
	connect := "An owner or admin of team " + teamName + " connects it: " + i.Link.Connect
	if i.State == NotConnected {
		return append(steps, Step{Name: StepConnected, Text: i.Link.Name + " is not connected in team " + teamName, Todo: connect})
	}
	if i.State == Lapsed {
		return append(steps, Step{Name: StepConnected, Text: "the connection to " + c.Name() + " has ended: " + c.Problem, Todo: connect})
	}
	steps = append(steps, Step{Name: StepConnected, OK: true, Text: c.Name() + " at " + i.Link.Name + " is connected"})
	switch i.State {
	case NeedsScopes:
		steps = append(steps, Step{Name: StepScopes, Text: "it was not allowed yet: " + strings.Join(i.Link.Lacking, ", "), Todo: "An owner or admin allows it: " + i.Link.Connect})
	case Collides, Unavailable:
		steps = append(steps, Step{Name: StepAllowed, Text: i.linkMessage(teamName)})
	default:
		steps = append(steps, Step{Name: StepScopes, OK: true, Text: "it gives " + strings.Join(i.Link.Names, ", ")})
	}
	return steps
}

// Due are the connections whose tokens end so soon that a fresh one is asked
// for first.
func (d *Disclosure) Due(at time.Time) (out []integration.Ref) {
	for _, i := range d.Issued {
		if c := i.Connection; !c.ExpiresAt.IsZero() && !at.Add(integration.Margin).Before(c.ExpiresAt) {
			out = append(out, integration.Ref{TeamID: c.TeamID, ID: c.ID})
		}
	}
	return out
}

func (i Issued) ended(at time.Time) bool {
	return !i.Connection.ExpiresAt.IsZero() && !at.Before(i.Connection.ExpiresAt)
}

// Ended is the error of a run at a time when the token of a required integration
// has ended, and none could be had instead.
func (d *Disclosure) Ended(at time.Time) error {
	for _, i := range d.Issued {
		if i.ended(at) && !i.Optional {
			return &problem.Error{
				Code: problem.Unavailable, RetryAfter: 10 * time.Second,
				Detail: fmt.Sprintf("%s gives no fresh token for %s just now, so nothing was handed out. It is tried again by itself; Settings → Integrations says more.", i.Name, i.Key),
			}
		}
	}
	return nil
}

func (d *Disclosure) issuedAt(at time.Time) (out []Issued) {
	for _, i := range d.Issued {
		if !i.ended(at) {
			out = append(out, i)
		}
	}
	return out
}

func (d *Disclosure) missingAt(at time.Time) []string {
	out := d.MissingOptional
	for _, i := range d.Issued {
		if i.ended(at) {
			out = append(slices.Clone(out), i.Key)
		}
	}
	return out
}

// record records a run, with fresh tokens if they can be had. It returns when
// that was, too.
func (s *Service) record(ctx context.Context, actor team.Actor, namespace, name, version string, revision int64, entry audit.Entry) (*Disclosure, time.Time, error) {
	begun := Begun{Entry: entry, Decide: func(data RunData) *Disclosure { return data.Decide(s.catalogue) }, Revision: revision, Fresh: s.tokens != nil}
	begun.At = s.now()
	d, err := s.store.RecordRun(ctx, actor.TeamID(), namespace, name, version, begun)
	if err != nil || !begun.Holds(d) {
		return d, begun.At, err
	}
	for _, ref := range d.Due(begun.At) {
		// A token that is not there in time is not there: the second look says so.
		if err := s.tokens.Fresh(ctx, ref); err != nil && !errors.Is(err, problem.Unavailable) {
			return nil, begun.At, err
		}
	}
	begun.Fresh, begun.At = false, s.now()
	d, err = s.store.RecordRun(ctx, actor.TeamID(), namespace, name, version, begun)
	return d, begun.At, err
}

// openIssued opens what an integration gives.
func (s *Service) openIssued(dek *envelope.DEK, teamID string, i Issued) ([]Injected, error) {
	m, err := integration.Open(dek, teamID, i.Connection.ID, i.Connection.Version, i.Sealed)
	if err != nil {
		return nil, err
	}
	p, ok := s.catalogue.Provider(i.Connection.Provider)
	if !ok {
		return nil, fmt.Errorf("the catalogue has no provider %q any more", i.Connection.Provider)
	}
	kind, ok := p.Kind(i.Connection.Type)
	if !ok {
		return nil, fmt.Errorf("the catalogue has no kind %q of %q any more", i.Connection.Type, p.ID)
	}
	var out []Injected
	for _, v := range kind.Env(m, i.Names) {
		out = append(out, Injected{Key: envvar.Key(v.Name), Source: envvar.Key(v.Name), Value: v.Value, Version: i.Connection.Version, Integration: i.Key})
	}
	return out, nil
}

// addInjected adds what is not there yet: two capabilities of one account give
// the same.
func addInjected(env, more []Injected) []Injected {
	for _, v := range more {
		if !slices.ContainsFunc(env, func(have Injected) bool { return have.Key == v.Key }) {
			env = append(env, v)
		}
	}
	return env
}

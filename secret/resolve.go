package secret

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// MaxRunIDLength is in characters.
const MaxRunIDLength = 128

var runIDPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$`) })

// Run asks for one app's secrets.
type Run struct {
	// App is namespace/name, or the name alone for an app in the namespace that
	// has the team's username.
	App string
	// Version is an app version's id or number; empty for the current one.
	Version string
	// RunID is the runner's name for the run; it stands in the audit log.
	RunID string
}

// Resolved is what a run receives: the declared secrets that are set, and
// nothing else.
type Resolved struct {
	App       string
	VersionID string
	RunID     string
	Env       []Injected
	// Integrations are those that Env has values of.
	Integrations []Issued
	// MissingOptional are declared, optional, and not set or not granted.
	MissingOptional []string
}

// Injected is one value for an app's environment.
type Injected struct {
	// Key is the declared one; Source is the team's, whose value and version
	// these are.
	Key, Source envvar.Key
	Value       redact.Value
	Version     int64
	// Integration is the declared integration that gives it; then there is no
	// secret of the team behind it.
	Integration string
}

// injectedAs names the declared key, and the team's key if that is another one.
func injectedAs(declared, source envvar.Key) string {
	if source == declared {
		return string(declared)
	}
	return string(declared) + "=" + string(source)
}

// Resolve returns the secrets that the app's version declares, the team grants
// to the app and has set, all from one snapshot. If a required one is missing or
// not granted, the error is an *Unmet and no value is returned. What was handed out, and what was refused,
// is in the audit log before Resolve returns.
//
// Errors: *Unmet, problem.NotFound for an unknown app and for another team's
// alike, problem.InvalidField, and those of audit.Guard.
func (s *Service) Resolve(ctx context.Context, actor team.Actor, run Run) (Resolved, error) {
	run.App = qualified(run.App, actor)
	if err := audit.Guard(ctx, s.store, actor, team.ResolveApp, auditApp(run.App)); err != nil {
		return Resolved{}, err
	}
	if _, _, err := ParseApp(run.App); err != nil {
		return Resolved{}, err
	}
	if denial := actor.AuthorizeApp(run.App); denial != nil {
		return Resolved{}, audit.Deny(ctx, s.store, actor, team.ResolveApp, run.App, denial)
	}
	if err := CheckRunID(run.RunID); err != nil {
		return Resolved{}, err
	}
	return s.resolve(ctx, actor, run, 0)
}

// ErrMoved says that a team is not at the revision that was presumed.
var ErrMoved = errors.New("the team has changed")

// ResolvePresumed is Resolve for an actor that is presumed, which saves a
// question to the database: that the team is still at the actor's revision is
// found in the transaction that records the run.
//
// Errors: ErrMoved, after which nothing was done or recorded, if it is at
// another, or Resolve would refuse the run before it is recorded; and those of
// Resolve.
func (s *Service) ResolvePresumed(ctx context.Context, presumed team.Presumed, run Run) (Resolved, error) {
	actor := presumed.Unconfirmed()
	run.App = qualified(run.App, actor)
	_, _, err := ParseApp(run.App)
	if err := errors.Join(err, actor.Authorize(team.ResolveApp), actor.AuthorizeApp(run.App), CheckRunID(run.RunID)); err != nil {
		return Resolved{}, ErrMoved
	}
	return s.resolve(ctx, actor, run, presumed.Revision())
}

// resolve records and answers a run that the actor may start, at the given
// revision of the team or at any if it is 0.
func (s *Service) resolve(ctx context.Context, actor team.Actor, run Run, revision int64) (Resolved, error) {
	namespace, name, err := ParseApp(run.App)
	if err != nil {
		return Resolved{}, err
	}
	entry := audit.By(actor, team.ResolveApp, run.App, audit.Allowed)
	entry.RunID = run.RunID
	// Nothing leaves before the entry is durable.
	disclosure, at, err := s.record(ctx, actor, namespace, name, run.Version, revision, entry)
	if errors.Is(err, problem.NotFound) {
		return Resolved{}, unknownApp(run, actor)
	}
	if err != nil {
		return Resolved{}, err
	}
	if len(disclosure.Blocking) > 0 {
		blocking := slices.Clone(disclosure.Blocking)
		err := s.store.View(ctx, func(r Reader) error { return s.explain(ctx, r, actor, blocking) })
		if err != nil {
			return Resolved{}, err
		}
		return Resolved{}, &Unmet{App: disclosure.App, TeamName: actor.TeamName(), Items: blocking}
	}
	if ended := disclosure.Ended(at); ended != nil {
		return Resolved{}, ended
	}
	out, err := s.opened(actor, disclosure, at)
	if err != nil {
		// The entry says that the values were handed out; another one says that
		// they were not.
		entry.Outcome, entry.Reason = audit.Failed, string(problem.CodeOf(err))
		if failed := audit.Record(ctx, s.store, entry); failed != nil {
			return Resolved{}, failed
		}
		return Resolved{}, err
	}
	out.RunID = run.RunID
	return out, nil
}

// Concluded is the audit entry of a run: the one that was begun, with the
// versions that the run receives, or why it receives nothing.
func Concluded(begun audit.Entry, disclosure *Disclosure, err error) audit.Entry {
	switch {
	case err != nil:
		begun.Outcome, begun.Reason = audit.Failed, string(problem.CodeOf(err))
	case len(disclosure.Blocking) > 0:
		begun.Outcome, begun.Reason = audit.Failed, string(problem.RequirementsNotMet)
	case disclosure.Ended(begun.At) != nil:
		begun.Outcome, begun.Reason = audit.Failed, string(problem.Unavailable)
	default:
		begun.Reason = ran(disclosure.Version)
		for _, g := range disclosure.Given {
			begun.Versions = append(begun.Versions, audit.KeyVersion{Key: injectedAs(g.Key, g.Source), Version: g.Version})
		}
		for _, i := range disclosure.issuedAt(begun.At) {
			begun.Versions = append(begun.Versions, audit.KeyVersion{Key: i.Key, Version: i.Connection.Version})
		}
	}
	return begun
}

// opened opens the values that a run is given at a time.
func (s *Service) opened(actor team.Actor, disclosure *Disclosure, at time.Time) (Resolved, error) {
	out := Resolved{App: disclosure.App, VersionID: disclosure.VersionID, MissingOptional: disclosure.missingAt(at)}
	dek, err := s.openDEK(actor.TeamID(), disclosure.WrappedDEK)
	if err != nil {
		return Resolved{}, err
	}
	for _, g := range disclosure.Given {
		value, err := open(dek, Record{TeamID: actor.TeamID(), Key: g.Source}, Sealed{Number: g.Version, Value: g.Sealed})
		if err != nil {
			return Resolved{}, err
		}
		out.Env = append(out.Env, Injected{Key: g.Key, Source: g.Source, Value: value, Version: g.Version})
	}
	for _, i := range disclosure.issuedAt(at) {
		values, err := s.openIssued(dek, actor.TeamID(), i)
		if err != nil {
			return Resolved{}, err
		}
		out.Integrations = append(out.Integrations, i)
		out.Env = addInjected(out.Env, values)
	}
	return out, nil
}

// explain adds to missing items what may have been meant instead: names of the
// team that are near a declared one, and the caller's other teams that have it.
// Those are named only to who may do all that the person may. A key with fewer
// scopes, a runner's for one, learns nothing beyond its team.
func (s *Service) explain(ctx context.Context, r Reader, actor team.Actor, items []Item) error {
	var missing []envvar.Key
	for _, item := range items {
		if item.unset() {
			missing = append(missing, item.Source())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	have, err := r.KeysInUse(ctx, actor.TeamID())
	if err != nil {
		return err
	}
	staged, err := r.OnlyStaged(ctx, actor.TeamID(), missing)
	if err != nil {
		return err
	}
	var elsewhere map[envvar.Key][]string
	if actor.Unlimited() {
		if elsewhere, err = r.TeamsHolding(ctx, actor.UserID(), actor.TeamID(), missing); err != nil {
			return err
		}
	}
	for i := range items {
		if !items[i].unset() {
			continue
		}
		key := items[i].Source()
		if items[i].StagedVersion = staged[key]; items[i].StagedVersion > 0 {
			continue
		}
		for _, near := range envvar.NearMisses(key, have) {
			items[i].NearMisses = append(items[i].NearMisses, NearMiss{Key: near.Key, Reason: near.Reason})
		}
		for _, name := range elsewhere[key] {
			items[i].NearMisses = append(items[i].NearMisses, NearMiss{Key: key, Reason: "set in your team " + name, Team: name})
		}
	}
	return nil
}

func unknownApp(run Run, actor team.Actor) error {
	if run.Version != "" {
		return problem.New(problem.NotFound, "Not found: that version of app %[1]s is not registered in team %[2]s. `infsh app versions %[1]s` lists those that are; check that this is the right team.", run.App, actor.TeamName())
	}
	return problem.New(problem.NotFound, "Not found: app %s is not registered in team %s. Register it with `infsh app deploy`, and check that this is the right team.", run.App, actor.TeamName())
}

var slugPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`) })

// ParseApp splits namespace/name.
func ParseApp(s string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(s, "/")
	if !ok || !slugPattern().MatchString(namespace) || !slugPattern().MatchString(name) {
		return "", "", problem.Invalid("app", "an app is written namespace/name, in lower-case letters, digits, dots, dashes and underscores")
	}
	return namespace, name, nil
}

func auditApp(s string) string {
	if _, _, err := ParseApp(s); err != nil {
		return "(not a valid app name)"
	}
	return s
}

// CheckSlug reports whether s can be an app's namespace or name.
func CheckSlug(s string) error {
	if !slugPattern().MatchString(s) {
		return fmt.Errorf("use 1 to 64 lower-case letters, digits, dots, dashes and underscores, starting with a letter or digit")
	}
	return nil
}

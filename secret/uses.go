package secret

import (
	"cmp"
	"context"
	"slices"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/team"
)

// Without is what becomes of an app's next run if it finds no value for a key.
type Without string

const (
	// WithoutFails: the app requires the key, so nothing starts.
	WithoutFails Without = "fails"
	// WithoutGoesOn: the key is optional.
	WithoutGoesOn Without = "goes_on"
	// WithoutSame: the app does not receive the key now, or does not run for
	// another reason.
	WithoutSame Without = "same"
)

// Use is an app that declares a key.
type Use struct {
	App string // namespace/name
	// Current is the number of the version that runs; 0 if the app is gone and
	// only its runs are known. Declared tells whether that version, or the one
	// that waits for approval, declares the key.
	Current  int64
	Declared bool
	// As is the declared key; it differs from the team's where it is bound.
	As       envvar.Key
	Optional bool
	Grant    GrantState
	// Waits tells that it is declared by the version that waits for approval alone.
	Waits bool
	// Without is what the next run does without the key, and Because why it is
	// the same, if it is.
	Without Without
	Because string
	// LastRun is the app's last run in any version, and Holders what runs of each
	// of its versions received of the key.
	LastRun Delivery
	Holders []Holder
}

// Holder is an app's version that has received a key.
type Holder struct {
	AppVersion int64
	// LastRun is its last run, and Received the last version of the key that it
	// received: in that run, unless it received none in it.
	LastRun, Received Delivery
	// Before is when runs of it last received an older version than that.
	Before Delivery
}

// Holds reports whether what last ran received a version of the key.
func (h Holder) Holds() bool { return h.Received.Seq == h.LastRun.Seq }

// Uses says who has a key.
type Uses struct {
	Key envvar.Key
	// Version is the one in use, and Since when it was made.
	Version int64
	Uses    []Use
	Unread  int64
}

// Failing returns the apps whose next run would not start without the key.
func (u Uses) Failing() []Use {
	return slices.DeleteFunc(slices.Clone(u.Uses), func(one Use) bool { return one.Without != WithoutFails })
}

// HoldOld returns those app versions whose last run received another version
// than the one in use.
func (u Uses) HoldOld() (out []Use) {
	for _, use := range u.Uses {
		use.Holders = slices.DeleteFunc(slices.Clone(use.Holders), func(h Holder) bool { return !h.Holds() || h.Received.Version == u.Version })
		if len(use.Holders) > 0 {
			out = append(out, use)
		}
	}
	return out
}

// OldLast is when any run last received another version than the one in use; the
// zero time if none is known. What runs since then may have it.
func (u Uses) OldLast() (at time.Time) {
	later := func(d Delivery) {
		if d.Seq > 0 && d.Version != u.Version && d.At.After(at) {
			at = d.At
		}
	}
	for _, use := range u.Uses {
		for _, h := range use.Holders {
			later(h.Received)
			later(h.Before)
		}
	}
	return at
}

// Uses tells which apps declare a key and are granted it, what their next run
// would do without it, and which version of it their last runs received. It opens
// and hands out nothing.
//
// Errors: problem.SecretNotFound, and those of audit.Guard.
func (s *Service) Uses(ctx context.Context, actor team.Actor, key string) (Uses, error) {
	all, err := s.UsesOfAll(ctx, actor, key)
	if err != nil {
		return Uses{}, err
	}
	return all[0], nil
}

// UsesOfAll tells the same of several keys, in their order.
func (s *Service) UsesOfAll(ctx context.Context, actor team.Actor, keys ...string) (all []Uses, err error) {
	for _, action := range []team.Action{team.ListSecrets, team.ListApps} {
		if err := audit.Guard(ctx, s.store, actor, action, auditKeys("uses", keys)); err != nil {
			return nil, err
		}
	}
	err = s.store.View(ctx, func(r Reader) error {
		all = nil
		for _, key := range keys {
			one, err := s.usesOf(ctx, r, actor, key)
			if err != nil {
				return err
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

func (s *Service) usesOf(ctx context.Context, r Reader, actor team.Actor, key string) (Uses, error) {
	rec, err := record(ctx, r, actor, key)
	if err != nil {
		return Uses{}, err
	}
	out := Uses{Key: rec.Key, Version: rec.Version}
	declaring, err := r.Declaring(ctx, actor.TeamID(), rec.Key)
	if err != nil {
		return out, err
	}
	uses := map[string]*Use{}
	for _, v := range declaring {
		if err := s.addUse(ctx, r, actor, uses, v, rec); err != nil {
			return out, err
		}
	}
	given, err := r.Deliveries(ctx, actor.TeamID(), rec.Key, rec.CreatedAt)
	if err != nil {
		return out, err
	}
	out.Unread = given.Unread
	addHolders(uses, given.Items)
	for _, use := range uses {
		out.Uses = append(out.Uses, *use)
	}
	slices.SortFunc(out.Uses, func(a, b Use) int { return cmp.Or(-boolean(a.Declared, b.Declared), cmp.Compare(a.App, b.App)) })
	return out, nil
}

// notDeclared is of apps that runs are known of, or that have a grant.
const notDeclared = "it does not declare the key any more"

func boolean(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// addUse adds what an app's version declares of a key, if it does.
func (s *Service) addUse(ctx context.Context, r Reader, actor team.Actor, uses map[string]*Use, v AppVersion, rec Record) error {
	use, ok := uses[v.App]
	if !ok {
		use = &Use{App: v.App, Without: WithoutSame, Because: notDeclared}
	}
	if v.Current {
		use.Current = v.Number
	}
	held, err := s.held(ctx, r, actor, v.Requirements, v.Grants)
	if err != nil {
		return err
	}
	links, err := s.links(ctx, r, actor, v.Requirements)
	if err != nil {
		return err
	}
	items := evaluate(v.App, v.Requirements, v.Grants, held, links)
	for _, item := range items {
		if item.Kind != KindSecret || item.Source() != rec.Key {
			continue
		}
		if use.Declared && !v.Current {
			break // What runs now counts.
		}
		use.Declared, use.Waits = true, !v.Current
		use.As, use.Optional, use.Grant = envvar.Key(item.Key), item.Optional, item.Grant.State
		use.Without, use.Because = without(item, items, !v.Current)
	}
	if use.Declared || v.Current {
		uses[v.App] = use
	}
	return nil
}

// without tells what the next run of a version does without an item that it has.
func without(item Item, items []Item, waits bool) (Without, string) {
	if waits {
		return WithoutSame, "it is declared by a version that waits for approval"
	}
	switch item.State {
	case Set:
	case Waiting, Revoked, NotGranted:
		return WithoutSame, "it is not granted the key"
	default:
		return WithoutSame, "it does not receive the key now"
	}
	for _, other := range blocking(items) {
		return WithoutSame, "it does not run now, because of " + other.Key
	}
	if item.Optional {
		return WithoutGoesOn, ""
	}
	return WithoutFails, ""
}

// addHolders adds what the log says of runs. Apps that declare the key no more,
// or are gone, may still run.
func addHolders(uses map[string]*Use, items []Delivery) {
	type version struct {
		app    string
		number int64
	}
	holders := map[version]*Holder{}
	runs := map[version]Delivery{}
	for _, d := range items { // newest first
		at := version{d.App, d.AppVersion}
		if d.Key == "" {
			runs[at] = d
			continue
		}
		h, ok := holders[at]
		switch {
		case !ok:
			holders[at] = &Holder{AppVersion: d.AppVersion, Received: d}
		case h.Before.Seq == 0:
			h.Before = d
		}
	}
	for at, h := range holders {
		h.LastRun = runs[at]
		use, ok := uses[at.app]
		if !ok {
			use = &Use{App: at.app, Without: WithoutSame, Because: notDeclared}
			uses[at.app] = use
		}
		use.Holders = append(use.Holders, *h)
	}
	for at, last := range runs {
		if use, ok := uses[at.app]; ok && last.Seq > use.LastRun.Seq {
			use.LastRun = last
		}
	}
	for app, use := range uses {
		if !use.Declared && len(use.Holders) == 0 {
			delete(uses, app)
			continue
		}
		slices.SortFunc(use.Holders, func(a, b Holder) int { return cmp.Compare(b.AppVersion, a.AppVersion) })
	}
}

// CountUses counts, for each of the keys, the apps whose current version declares
// it, or a key that is bound to it, and that are granted it.
func (s *Service) CountUses(ctx context.Context, actor team.Actor, keys []envvar.Key) (counts map[envvar.Key]int, err error) {
	for _, action := range []team.Action{team.ListSecrets, team.ListApps} {
		if err := audit.Guard(ctx, s.store, actor, action, ""); err != nil {
			return nil, err
		}
	}
	err = s.store.View(ctx, func(r Reader) error {
		counts, err = r.CountUses(ctx, actor.TeamID(), keys)
		return err
	})
	return counts, err
}

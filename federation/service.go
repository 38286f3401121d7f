package federation

import (
	"context"
	"crypto/sha256"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"infsh/audit"
	"infsh/problem"
	"infsh/team"
)

// Service is the way to a team's trusts, and to credentials.
type Service struct {
	store   Store
	issuers *issuers
	// site is the audience of tokens where a trust names no other.
	site string
	// given are the keys that trusts hold, parsed, by the SHA-256 of their text.
	given *lru.Cache[[sha256.Size]byte, []publicKey]
	// verifying bounds how many signatures are verified at once.
	verifying chan struct{}
	// quiet are teams whose log has had its refusals, until when: a flood of them is
	// not one of transactions.
	quiet *lru.Cache[refusals, time.Time]
	now   func() time.Time
}

// refusals are those of tokens that a team's issuer signed, or the others.
type refusals struct {
	teamID string
	signed bool
}

// NewService makes a Service for the server at a public URL.
func NewService(store Store, site *url.URL, guard Guard) *Service {
	quiet, err := lru.New[refusals, time.Time](maxQuiet)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	given, err := lru.New[[sha256.Size]byte, []publicKey](maxGiven)
	if err != nil {
		panic(err) // only a size below 1 is refused
	}
	s := &Service{store: store, quiet: quiet, given: given, verifying: make(chan struct{}, runtime.GOMAXPROCS(0)), now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
	if site != nil {
		// As clients write it, who ask their platforms for tokens.
		u := *site
		u.Host = strings.ToLower(u.Host)
		s.site = strings.TrimSuffix(u.String(), "/")
	}
	s.issuers = newIssuers(guard, s.verifyBy, func() time.Time { return s.now() })
	return s
}

// Site is the audience of tokens where a trust names no other.
func (s *Service) Site() string { return s.site }

// List returns the team's trusts, the oldest first.
func (s *Service) List(ctx context.Context, actor team.Actor) (out []Trust, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListTrusts, ""); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		out, err = r.Trusts(ctx, actor.TeamID())
		return err
	})
	return out, err
}

// Get returns one.
func (s *Service) Get(ctx context.Context, actor team.Actor, id string) (t Trust, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListTrusts, ""); err != nil {
		return Trust{}, err
	}
	err = s.store.View(ctx, func(r Reader) (err error) {
		t, err = find(ctx, r, actor, id)
		return err
	})
	return t, err
}

// Create makes a trust.
//
// Errors: problem.InvalidField (fields name, preset, issuer, audience, jwks,
// conditions, apps, and those of Fields), problem.Conflict for a name that is
// taken and for a trust too many, problem.ScopeRequired for an API key that may
// not run apps or that ends, and those of audit.Guard.
func (s *Service) Create(ctx context.Context, actor team.Actor, d Draft) (Trust, error) {
	if err := s.mayGive(ctx, actor, team.CreateTrust); err != nil {
		return Trust{}, err
	}
	now := s.now()
	t := Trust{ID: uuid.NewString(), TeamID: actor.TeamID(), CreatedByID: actor.UserID(), CreatedAt: now, UpdatedAt: now}
	return s.put(ctx, actor, d, t, team.CreateTrust, func(tx Tx, t Trust, all []Trust) error {
		if len(all) >= MaxTrusts {
			return problem.New(problem.Conflict, "Team %s trusts %d issuers, and more are not allowed. Delete one first.", actor.TeamName(), MaxTrusts)
		}
		return tx.Insert(ctx, t)
	})
}

// Update puts another trust in the place of one. The credentials that came of the
// one before end.
//
// Errors: problem.NotFound, and those of Create.
func (s *Service) Update(ctx context.Context, actor team.Actor, id string, d Draft) (Trust, error) {
	if err := s.mayGive(ctx, actor, team.UpdateTrust); err != nil {
		return Trust{}, err
	}
	t, err := s.current(ctx, actor, id)
	if err != nil {
		return Trust{}, err
	}
	return s.put(ctx, actor, d, t, team.UpdateTrust, func(tx Tx, t Trust, _ []Trust) error {
		there, err := find(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		// Two changes of one moment are two.
		t.UpdatedAt = s.now()
		if !t.UpdatedAt.After(there.UpdatedAt) {
			t.UpdatedAt = there.UpdatedAt.Add(time.Microsecond)
		}
		return tx.Save(ctx, t)
	})
}

func (s *Service) current(ctx context.Context, actor team.Actor, id string) (t Trust, err error) {
	err = s.store.View(ctx, func(r Reader) (err error) {
		t, err = find(ctx, r, actor, id)
		return err
	})
	return t, err
}

// put checks a trust and stores it, with its entry.
func (s *Service) put(ctx context.Context, actor team.Actor, d Draft, t Trust, action team.Action, write func(Tx, Trust, []Trust) error) (Trust, error) {
	if err := s.apply(d, &t); err != nil {
		return Trust{}, err
	}
	var denial error
	err := s.store.Update(ctx, func(tx Tx) error {
		denial = nil
		if err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		if actor.Kind() == team.Key {
			ends, err := tx.KeyEnds(ctx, actor.TeamID(), actor.CredentialID())
			if err != nil {
				return err
			}
			if !ends.IsZero() {
				denial = problem.New(problem.ScopeRequired, "Permission denied: this API key ends, and what it makes would not. Sign in, or use a key without an end.")
				return denial
			}
		}
		all, err := tx.Trusts(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		for _, other := range all {
			if other.ID != t.ID && other.Name == t.Name {
				return &problem.Error{Code: problem.Conflict, Fields: []problem.Field{{Name: "name", Message: "the team has a trust of this name already"}}}
			}
		}
		if t.Apps, err = findApps(ctx, tx, actor, d.Apps); err != nil {
			return err
		}
		if err := checkAlike(t, all); err != nil {
			return err
		}
		if err := write(tx, t, all); err != nil {
			return err
		}
		entry := audit.By(actor, action, t.Name, audit.Allowed)
		entry.Reason = s.describe(t)
		return tx.AppendAudit(ctx, entry)
	})
	if denial != nil {
		return Trust{}, audit.Deny(ctx, s.store, actor, action, t.Name, denial)
	}
	if err != nil {
		return Trust{}, err
	}
	return t, nil
}

// checkAlike bounds how many trusts a token may have to be compared with.
func checkAlike(t Trust, all []Trust) error {
	for _, a := range t.Apps {
		n := 0
		for _, other := range all {
			if other.ID != t.ID && other.Issuer == t.Issuer && slices.Contains(other.Apps, a) {
				n++
			}
		}
		if n >= maxAlike {
			return problem.New(problem.Conflict, "The team has %d trusts of this issuer for app %s already, and more are not allowed. One trust can name several values of a claim; or delete another first.", n, a.Name)
		}
	}
	return nil
}

func findApps(ctx context.Context, tx Tx, actor team.Actor, names []string) ([]team.AppBinding, error) {
	var out []team.AppBinding
	seen := map[string]bool{}
	for _, text := range names {
		namespace, name, err := parseApp(strings.TrimSpace(text), actor.TeamName())
		if err != nil {
			return nil, problem.Invalid("apps", "an app is written namespace/name")
		}
		app, err := tx.App(ctx, actor.TeamID(), namespace, name)
		if problem.CodeOf(err) == problem.NotFound {
			return nil, problem.Invalid("apps", "team %s has no app %s/%s; `infsh app list` shows them", actor.TeamName(), namespace, name)
		}
		if err != nil {
			return nil, err
		}
		if !seen[app.ID] {
			seen[app.ID] = true
			out = append(out, app)
		}
	}
	return out, nil
}

// mayGive asks for the right, and that the actor has what the trust gives to
// others: a credential makes none that may do more than itself.
func (s *Service) mayGive(ctx context.Context, actor team.Actor, action team.Action) error {
	if err := audit.Guard(ctx, s.store, actor, action, ""); err != nil {
		return err
	}
	if k := actor.Kind(); k != team.Key && k != team.Login || actor.Scopes().Allow(team.ScopeAppsExecute) {
		return nil
	}
	denial := problem.New(problem.ScopeRequired, "Permission denied: a trust lets others run apps, and this API key may not: it has not the scope %s.", team.ScopeAppsExecute)
	return audit.Deny(ctx, s.store, actor, action, "", denial)
}

// Delete ends a trust with the credentials that came of it.
func (s *Service) Delete(ctx context.Context, actor team.Actor, id string) error {
	if err := audit.Guard(ctx, s.store, actor, team.DeleteTrust, ""); err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		t, err := find(ctx, tx, actor, id)
		if err != nil {
			return err
		}
		if err := tx.Delete(ctx, actor.TeamID(), id); err != nil {
			return err
		}
		entry := audit.By(actor, team.DeleteTrust, t.Name, audit.Allowed)
		entry.Reason = "issuer " + t.Issuer
		return tx.AppendAudit(ctx, entry)
	})
}

func find(ctx context.Context, r Reader, actor team.Actor, id string) (Trust, error) {
	if uuid.Validate(id) != nil {
		return Trust{}, noTrust()
	}
	return r.Trust(ctx, actor.TeamID(), id)
}

func noTrust() error {
	return problem.New(problem.NotFound, "Not found: there is no such trust in this team.")
}

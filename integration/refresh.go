package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"golang.org/x/oauth2"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
)

const (
	// Margin is how long before its end a token is not handed out any more, if a
	// new one can be had.
	Margin = 30 * time.Second
	// aheadMost is how long before its end a token is replaced at most; a token
	// of a short life is at three quarters of it.
	aheadMost = 10 * time.Minute
	// leaseFor is longer than a request to a provider can take, so that no two
	// instances ask for the same token.
	leaseFor = 3 * callTimeout
	// pollLease is how often it is looked whether another instance has finished.
	pollLease = 100 * time.Millisecond
	// interval is how often it is looked for what is due.
	interval = 5 * time.Second
	// parallel is how many tokens an instance asks for at once.
	parallel = 8

	firstRetry = 30 * time.Second
	lastRetry  = 30 * time.Minute
)

// Acts that nobody's request gives rise to.
const (
	actRefresh = "integration.refresh"
	actExpire  = "integration.expire"
)

// refreshAt is when a token is asked for anew; zero for never.
func (k *Kind) refreshAt(m Material, now time.Time) time.Time {
	if m.expires.IsZero() || !k.refreshes() || k.Type == OAuth && m.refresh.IsZero() {
		return time.Time{}
	}
	left := max(m.expires.Sub(now), 0)
	ahead := min(left/4, aheadMost)
	// Connections that were made together are not refreshed together.
	return m.expires.Add(-ahead - rand.N(ahead/4+1)).Truncate(time.Microsecond)
}

// flights joins those who want the same thing of this instance.
type flights struct {
	mu sync.Mutex
	in map[Ref]*flight
}

type flight struct {
	done chan struct{}
	err  error
}

func (f *flights) do(ctx context.Context, ref Ref, fn func(context.Context) error) error {
	f.mu.Lock()
	if f.in == nil {
		f.in = map[Ref]*flight{}
	}
	one, under := f.in[ref]
	if !under {
		one = &flight{done: make(chan struct{})}
		f.in[ref] = one
		go func() {
			// Who came first may leave; the others wait for the same.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseFor+callTimeout)
			defer cancel()
			one.err = fn(ctx)
			f.mu.Lock()
			delete(f.in, ref)
			f.mu.Unlock()
			close(one.done)
		}()
	}
	f.mu.Unlock()
	select {
	case <-one.done:
		return one.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fresh makes sure that the connection's token is not about to end, whoever
// refreshes it: one of all instances asks the provider, and the others wait for
// what it stores. It returns nil also where the provider refused, which the
// connection's status then says.
//
// Errors: problem.Unavailable if the provider does not answer.
func (s *Service) Fresh(ctx context.Context, ref Ref) error {
	return s.refreshing.do(ctx, ref, func(ctx context.Context) error { return s.fresh(ctx, ref, s.now().Add(Margin)) })
}

// wait returns when nothing is under way, or when ctx is done.
func (f *flights) wait(ctx context.Context) {
	for {
		var one *flight
		f.mu.Lock()
		for _, one = range f.in {
			break
		}
		f.mu.Unlock()
		if one == nil {
			return
		}
		select {
		case <-one.done:
		case <-ctx.Done():
			return
		}
	}
}

// Finish waits for the refreshes that are under way, until ctx is done: a
// refresh token that was replaced at the provider, and not stored, is lost.
func (s *Service) Finish(ctx context.Context) { s.refreshing.wait(ctx) }

// refreshNow asks for a new token where one is due, however long the old one lasts.
func (s *Service) refreshNow(ctx context.Context, ref Ref) error {
	return s.refreshing.do(ctx, ref, func(ctx context.Context) error { return s.fresh(ctx, ref, time.Time{}) })
}

// fresh refreshes a token that ends before a time; one that is due, if that is
// zero.
func (s *Service) fresh(ctx context.Context, ref Ref, before time.Time) error {
	started := int64(-1)
	for {
		var c Held
		err := s.store.View(ctx, func(r Reader) (err error) {
			c, err = r.Connection(ctx, ref.TeamID, ref.ID)
			return err
		})
		if errors.Is(err, problem.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if started < 0 {
			started = c.Version
		}
		waits := c.RefreshAt.Sub(s.now())
		p, k, unknown := s.kind(c.Provider, c.Type)
		switch {
		case c.Version != started, !before.IsZero() && c.ExpiresAt.After(before):
			return nil // Somebody has done it.
		case before.IsZero() && (c.RefreshAt.IsZero() || waits > 0):
			return nil // Somebody has tried it.
		case c.Status == Expired, c.ExpiresAt.IsZero():
			return s.putOff(ctx, c)
		case unknown != nil: // The operator's file has it no more.
			return errors.Join(unknown, s.putOff(ctx, c))
		case !k.refreshes():
			return s.putOff(ctx, c)
		case c.Status == Failing && waits > 0:
			return &problem.Error{Code: problem.Unavailable, RetryAfter: max(waits, time.Second), Detail: c.Problem}
		}
		if until, open := s.breakers.open(p.ID, s.now()); open {
			return unavailable(p, errUnreachable, until.Sub(s.now()))
		}
		until := s.now().Add(leaseFor)
		leased, err := s.store.Lease(ctx, ref, c.Version, s.now(), until)
		if err != nil {
			return err
		}
		if leased {
			return s.renew(ctx, p, k, c, until)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pollLease):
		}
	}
}

// putOff makes what is due and can't be refreshed wait, so that it does not stand
// before what can.
func (s *Service) putOff(ctx context.Context, c Held) error {
	if c.RefreshAt.IsZero() || c.RefreshAt.After(s.now()) {
		return nil
	}
	return s.store.Update(ctx, func(tx Tx) error { return tx.SetRefreshAt(ctx, c.TeamID, c.ID, s.now().Add(lastRetry)) })
}

func unavailable(p *Provider, err error, retry time.Duration) error {
	return &problem.Error{Code: problem.Unavailable, RetryAfter: max(retry, time.Second), Detail: fmt.Sprintf("%s gives no fresh token just now: %v. It is tried again by itself.", p.Name, err)}
}

// renew asks the provider, with the lease in hand, and stores what came before
// anybody uses it: a refresh token that was replaced is good for nothing.
func (s *Service) renew(ctx context.Context, p *Provider, k *Kind, c Held, until time.Time) error {
	got, asked := s.ask(ctx, p, k, c)
	now := s.now()
	var refusal *refusal
	// A federation has nothing that could be void: what was undone at the provider
	// is done again there.
	gone := errors.As(asked, &refusal) && refusal.final() && k.Type != Federation
	switch {
	case asked == nil, refusal != nil && refusal.status > 0 && refusal.status < 500:
		s.breakers.answered(p.ID)
	case refusal != nil && refusal.status >= 500, errors.Is(asked, errUnreachable), errors.Is(asked, errSlow):
		s.breakers.failed(p.ID, c.TeamID, now)
	}
	var out error
	err := s.store.Update(ctx, func(tx Tx) error {
		out = nil
		dek, err := s.lock(ctx, tx, c.TeamID)
		if err != nil {
			return err
		}
		held, err := tx.Leased(ctx, c.TeamID, c.ID, until)
		if err != nil {
			return err
		}
		current, err := tx.Connection(ctx, c.TeamID, c.ID)
		if errors.Is(err, problem.NotFound) {
			return nil // It was disconnected meanwhile.
		}
		if err != nil {
			return err
		}
		if current.Version != c.Version || asked != nil && !held {
			// It was connected or refreshed meanwhile. A success is kept without the
			// lease too: it has replaced the refresh token that others failed with.
			return nil
		}
		next := current.Connection
		next.UpdatedAt = now
		entry := audit.Entry{ID: uuid.NewString(), At: now, TeamID: c.TeamID, ActorKind: "system", ActorName: "infsh", Action: actRefresh, Target: c.target(), Outcome: audit.Allowed}
		switch {
		case asked == nil:
			next.Status, next.Problem, next.Failures = Connected, "", 0
			next.Version++
			next.RefreshedAt, next.ExpiresAt, next.RefreshAt, next.Scopes = now, got.expires, k.refreshAt(got, now), got.scopes
			sealed, err := got.seal(dek, c.TeamID, c.ID, next.Version)
			if err != nil {
				return err
			}
			if err := tx.SetValue(ctx, c.TeamID, c.ID, next.Version, sealed); err != nil {
				return err
			}
		case gone:
			next.Status, next.RefreshAt = Expired, time.Time{}
			next.Problem = fmt.Sprintf("%s does not renew it any more (%v). Connect it again.", p.Name, asked)
			entry.Action, entry.Reason = actExpire, refusal.code
		default:
			next.Failures++
			pause := min(firstRetry<<min(next.Failures-1, 10), lastRetry)
			next.Status = Failing
			if current.RefreshAt.Equal(c.RefreshAt) { // Else a new client's secret is to be tried at once.
				next.RefreshAt = now.Add(pause + rand.N(pause/4+1)).Truncate(time.Microsecond)
			}
			next.Problem = fmt.Sprintf("%s gave no fresh token: %v. It is tried again by itself.", p.Name, asked)
			if hint := s.hint(k, c.TeamID, asked); hint != "" {
				next.Problem = fmt.Sprintf("%s gave no fresh token: %v. %s It is tried again by itself.", p.Name, asked, hint)
			}
			if k.Type != Federation && refusal != nil && (refusal.code == "invalid_client" || refusal.status == 401) {
				next.Problem = fmt.Sprintf("%s does not accept the team’s client (%v). Enter its client secret anew.", p.Name, asked)
			}
			entry.Outcome, entry.Reason = audit.Failed, "unavailable"
			out = unavailable(p, asked, pause)
		}
		if err := tx.SaveConnection(ctx, next); err != nil {
			return err
		}
		if next.Failures > 1 {
			return nil // The first one stands in the log.
		}
		return tx.AppendAudit(ctx, entry)
	})
	if err != nil {
		return err
	}
	return out
}

// ask makes the request for a new token.
func (s *Service) ask(ctx context.Context, p *Provider, k *Kind, c Held) (Material, error) {
	var old Material
	var config *oauth2.Config
	err := s.store.View(ctx, func(r Reader) error {
		wrapped, err := r.WrappedDEK(ctx, c.TeamID)
		if err != nil {
			return err
		}
		var dek *envelope.DEK
		if dek, err = s.openDEK(c.TeamID, wrapped); err != nil {
			return err
		}
		sealed, err := r.Value(ctx, c.TeamID, c.ID, c.Version)
		if err != nil {
			return err
		}
		if old, err = Open(dek, c.TeamID, c.ID, c.Version, sealed); err != nil {
			return err
		}
		if k.Type != OAuth {
			return nil
		}
		var client Client
		var secret redact.Value
		client, secret, err = s.client(ctx, r, dek, c.TeamID, p)
		if err == nil {
			config = k.config(client, secret, s.redirect)
		}
		return err
	})
	switch {
	case errors.Is(err, problem.PreconditionFailed):
		return Material{}, &refusal{code: "invalid_client"}
	case err != nil:
		s.log.Error("an integration can't be refreshed", "integration", c.ID, "error", err)
		return Material{}, errNotAsked
	}
	if k.Type == Federation {
		return s.federate(ctx, p, k, c.TeamID, old.fields)
	}
	if k.Type == ServiceAccount {
		account, err := readServiceAccount(old.fields[serviceAccountField])
		if err != nil {
			return Material{}, &refusal{code: "invalid_grant"}
		}
		return s.caller.assert(ctx, p, k, account, old.fields, s.now())
	}
	if old.refresh.IsZero() {
		return Material{}, &refusal{code: "invalid_grant"}
	}
	return s.caller.refresh(ctx, p, k, config, old, s.now())
}

// Run keeps the tokens of all teams fresh until ctx is done; Finish waits for
// what it began. Several instances share the work.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	swept, failed := time.Time{}, false
	for {
		err := s.RefreshDue(ctx)
		if err == nil && s.now().Sub(swept) > FlowLifetime {
			swept = s.now()
			err = s.store.ForgetFlows(ctx, swept)
		}
		if err != nil && !failed && ctx.Err() == nil {
			s.log.Error("integrations can't be refreshed; it goes on trying", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// RefreshDue refreshes what is due now, and waits for it.
func (s *Service) RefreshDue(ctx context.Context) error {
	due, err := s.store.Due(ctx, s.now(), s.breakers.opened(s.now()), parallel)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, ref := range due {
		all.Go(func() {
			// What became of it stands in its row.
			_ = s.refreshNow(ctx, ref)
		})
	}
	all.Wait()
	return nil
}

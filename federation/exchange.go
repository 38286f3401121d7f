package federation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"infsh/account"
	"infsh/audit"
	"infsh/auth"
	"infsh/problem"
	"infsh/redact"
	"infsh/secret"
)

const (
	// Lifetime is how long a credential is good for, however long the token is.
	Lifetime = 15 * time.Minute
	// maxTold bounds what an entry of the log repeats of a trust or a token, in bytes.
	maxTold = 256
	// maxCredentials is how many of one trust are good at a time.
	maxCredentials = 2000
	// maxRefusals is how many refusals a team's log gets in refusalsWithin: whoever
	// knows the name of an app can cause them.
	maxRefusals    = 30
	maxQuiet       = 2000
	refusalsWithin = 10 * time.Minute
	// rememberUsed is how long after its end a token is known as used: the clock of
	// the instance that sweeps may be ahead of the one that is asked.
	rememberUsed = time.Hour
	// maxReasons is of how many trusts an entry says why they refuse a token.
	maxReasons = 5
)

// Request asks for a credential.
type Request struct {
	Token redact.Value
	// App is namespace/name, or the name alone with Team.
	App string
	// Team is the team's username; empty for the one that the namespace names.
	Team string
	// RunID is the runner's name for the run; it stands in the audit log.
	RunID string
}

// Issued is a credential that was handed out, the only time.
type Issued struct {
	Credential redact.Value
	App        string
	ExpiresAt  time.Time
}

// refused is why a token is refused under a trust, for its team alone.
type refused struct {
	trust Trust
	why   string
}

// Exchange trades a platform's token for a credential of one app.
//
// Errors: problem.InvalidField (fields audience, team, run_id, subject_token),
// problem.AccessDenied alike for an app or team that does not exist, one that
// trusts no such issuer, and a token that is not accepted under its conditions,
// which is an entry of the team's log where it trusts the issuer;
// problem.Unavailable where the issuer gives no keys, and problem.RateLimited.
func (s *Service) Exchange(ctx context.Context, in Request, from account.Origin) (Issued, error) {
	namespace, name, err := parseApp(in.App, in.Team)
	if err != nil {
		return Issued{}, problem.Invalid("audience", "name the app that is to be run, as namespace/name")
	}
	teamName := in.Team
	if teamName == "" {
		teamName = namespace
	}
	if account.ParseUsername(teamName) != nil {
		return Issued{}, problem.Invalid("team", "it is no team's username; if the app's namespace is none, name the team")
	}
	if err := secret.CheckRunID(in.RunID); err != nil {
		return Issued{}, err
	}
	now := s.now()
	t, err := parse(in.Token, now)
	if err != nil {
		return Issued{}, problem.Invalid("subject_token", "%v", err)
	}
	issuer := t.claims.text("iss")
	var teamID string
	var trusts []Trust
	err = s.store.View(ctx, func(r Reader) (err error) {
		teamID, trusts, err = r.Trusted(ctx, teamName, namespace, name, issuer)
		return err
	})
	if err != nil {
		return Issued{}, err
	}
	if len(trusts) == 0 {
		return Issued{}, notAccepted()
	}
	entry := s.entry(teamID, namespace+"/"+name, in.RunID, t, from)
	var reasons []refused
	var unknown error
	checked := signatures{service: s, token: t, known: map[[sha256.Size]byte]verdict{}}
	for _, trust := range trusts[:min(len(trusts), maxAlike)] {
		why, err := s.judge(ctx, trust, &checked)
		var away *errUnreachable
		switch {
		case errors.As(err, &away):
			// Another trust may have the keys.
			why, unknown = "the issuer's keys can't be had: "+away.Error(), noKeys()
		case err != nil:
			return Issued{}, err
		case why == "":
			var out Issued
			if out, why, err = s.issue(ctx, entry, trust, t, namespace+"/"+name); err != nil || why == "" {
				return out, err
			}
		}
		reasons = append(reasons, refused{trust, why})
	}
	if err := s.recordRefusal(ctx, entry, reasons, checked.good); err != nil {
		return Issued{}, err
	}
	if unknown != nil {
		return Issued{}, unknown
	}
	return Issued{}, notAccepted()
}

// notAccepted is the one answer to whatever a stranger could learn something from.
func notAccepted() error {
	return problem.New(problem.AccessDenied, "This token is not accepted for this app. Either the app, the team or its trust in the token's issuer does not exist, or a condition is not met, or the token is for another audience, signed by a key that is not known, or was used already. Owners and admins find the reason in the team's activity, if it trusts the issuer.")
}

// judge says why the token is refused under a trust, empty if it is not.
func (s *Service) judge(ctx context.Context, trust Trust, checked *signatures) (why string, err error) {
	t := checked.token
	signed, err := checked.by(ctx, trust)
	if errors.Is(err, errNoSet) {
		return "the keys of the trust can't be read", nil
	}
	if err != nil {
		return "", err
	}
	if !signed {
		return "the signature is by no key that the issuer has now", nil
	}
	if want := s.Audience(trust); !t.isFor(want) {
		return fmt.Sprintf("the claim aud is not %s alone", want), nil
	}
	for _, c := range trust.Conditions {
		if !c.fits(t.claims) {
			return c.words(), nil
		}
	}
	return "", nil
}

// issue stores the credential, with its entry, if the trust still is as it was
// read, and the token was not used.
func (s *Service) issue(ctx context.Context, entry audit.Entry, trust Trust, t *token, app string) (out Issued, why string, err error) {
	now := s.now()
	err = s.store.Update(ctx, func(tx Tx) error {
		why = ""
		ok, err := tx.Used(ctx, trust, told(t.claims.text("sub")), now)
		if err != nil {
			return err
		}
		if !ok {
			why = "the trust was changed at this moment"
			return errRefused
		}
		used := t.usedBy(trust.TeamID)
		first, err := tx.UseToken(ctx, used[:], t.expires.Add(leeway+rememberUsed))
		if err != nil {
			return err
		}
		if !first && !trust.Reuse {
			why = "the token was used already, and the trust takes each once"
			return errRefused
		}
		n, err := tx.CountCredentials(ctx, trust.ID, now)
		if err != nil {
			return err
		}
		if n >= maxCredentials {
			return &problem.Error{Code: problem.RateLimited, Detail: "Too many runs have begun by this trust within a quarter of an hour. Try again later.", RetryAfter: time.Minute}
		}
		c, value := auth.NewRunnerCredential(trust.TeamID, trust.ID, appOf(trust, app), now, now.Add(Lifetime))
		if ok, err = tx.InsertCredential(ctx, c); err != nil {
			return err
		}
		if !ok {
			why = "the trust was changed at this moment"
			return errRefused
		}
		e := entry
		e.ActorID, e.ActorName, e.CredentialID = trust.ID, auth.RunnerName(trust.Name), c.ID
		e.Outcome, e.Reason = audit.Allowed, about(trust, t)
		out = Issued{Credential: value, App: app, ExpiresAt: c.ExpiresAt}
		return tx.AppendAudit(ctx, e)
	})
	if errors.Is(err, errRefused) {
		return Issued{}, why, nil
	}
	if err != nil {
		return Issued{}, "", err
	}
	return out, "", nil
}

var errRefused = errors.New("refused")

func appOf(t Trust, name string) string {
	for _, a := range t.Apps {
		if a.Name == name {
			return a.ID
		}
	}
	return ""
}

// entry begins what a team's log says of a token.
func (s *Service) entry(teamID, app, runID string, t *token, from account.Origin) audit.Entry {
	return audit.Entry{
		TeamID: teamID, ActorKind: auth.RunnerKind, Action: audit.ActExchange, Target: app, RunID: runID,
		RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	}
}

// about names trust, issuer and subject.
func about(trust Trust, t *token) string {
	return fmt.Sprintf("trust %s, issuer %s, subject %s", trust.Name, told(trust.Issuer), told(t.claims.text("sub")))
}

// told makes a text of a token fit for a line of the log.
func told(s string) string { return toldAtMost(s, maxTold) }

func toldAtMost(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// recordRefusal tells the team why a token was refused, unless it was told of
// many lately. What the issuer signed counts by itself, so that nobody hides it
// behind tokens that anybody can write.
func (s *Service) recordRefusal(ctx context.Context, entry audit.Entry, reasons []refused, signed bool) error {
	entry.Outcome, entry.ActorName = audit.Denied, ""
	kind := refusals{entry.TeamID, signed}
	if until, ok := s.quiet.Get(kind); ok && s.now().Before(until) {
		return nil
	}
	var words []string
	for _, r := range reasons[:min(len(reasons), maxReasons)] {
		words = append(words, "trust "+r.trust.Name+": "+r.why)
	}
	entry.Reason = strings.Join(words, "; ")
	if len(reasons) == 1 {
		entry.ActorID, entry.ActorName = reasons[0].trust.ID, auth.RunnerName(reasons[0].trust.Name)
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		n, since, err := tx.Refusals(ctx, entry.TeamID, signed)
		if err != nil {
			return err
		}
		now := s.now()
		if left := since.Add(refusalsWithin).Sub(now); left <= 0 || left > refusalsWithin {
			n, since = 0, now
		}
		if n >= maxRefusals {
			s.quiet.Add(kind, since.Add(refusalsWithin))
			return nil
		}
		e := entry
		if n == maxRefusals-1 {
			e.Reason += "; further refusals of this kind within ten minutes are not recorded"
		}
		if err := tx.SetRefusals(ctx, entry.TeamID, signed, n+1, since); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, e)
	})
	return err
}

// noKeys refuses a token whose issuer gives no keys.
func noKeys() error {
	return &problem.Error{Code: problem.Unavailable, Detail: "The issuer of this token can't be asked for its keys just now, so no credential was given. Try again.", RetryAfter: askAgain}
}

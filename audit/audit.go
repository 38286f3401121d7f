// Package audit says what stands in the audit log, and holds the one door
// through which a domain function asks for permission: Guard.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"infsh/problem"
	"infsh/team"
)

// Outcome is how an act ended.
type Outcome string

const (
	Allowed Outcome = "allowed"
	Denied  Outcome = "denied"
	// Failed is an act that was permitted and came to nothing: a wrong
	// password, a required secret that is missing.
	Failed Outcome = "failed"
	// Unchanged is an act that was permitted and had nothing to change: the
	// value was the one that is set.
	Unchanged Outcome = "unchanged"
)

// Acts that no team policy governs. The others have the name of their
// team.Action.
const (
	ActSetup        = "account.setup"
	ActCreateUser   = "account.create"
	ActAcceptInvite = "invite.accept"
	ActLogin        = "session.login"
	ActLogout       = "session.logout"
	ActSignOutAll   = "session.revoke_all"
	ActEndSignIn    = "session.end"
	ActSwitchTeam   = "session.switch_team"
	// ActConfirm is proving again who one is; the target says by what.
	ActConfirm        = "session.confirm"
	ActChangePassword = "account.password"
	// Second factors; the target names them.
	ActAddFactor     = "account.factor_add"
	ActRemoveFactor  = "account.factor_remove"
	ActRecoveryCodes = "account.recovery_codes"
	ActResetFactors  = "account.factors_reset"
	// Single sign-on; the target names the provider, or the person for an operator.
	ActConnectSignOn    = "account.sso_connect"
	ActDisconnectSignOn = "account.sso_disconnect"
	ActDeviceApprove    = "device.approve"
	ActDeviceDeny       = "device.deny"
	ActDeviceLogin      = "device.login"
	// ActRevokedKey is an attempt with an API key that was revoked.
	ActRevokedKey = "apikey.use_revoked"
	// ActExchange is a platform's token that was exchanged for a credential, or was
	// refused; the target is the app, and the reason names the trust.
	ActExchange = "runner.exchange"
	// The keys, which the operator replaces. The target names them.
	ActKEKRotationStart = "kek.rotation_start"
	ActRotateKEK        = "kek.rotate"
	ActRewrapDEK        = "dek.rewrap"
	ActDEKRotationStart = "dek.rotation_start"
	ActRotateDEK        = "dek.rotate"
	// The keys with which this server signs as an issuer. The target names one.
	ActMakeIssuerKey   = "issuer_key.make"
	ActRotateIssuerKey = "issuer_key.rotate"
	ActDropIssuerKey   = "issuer_key.drop"
)

// OwnAct reports whether an act is one of a person or a runner on how they sign
// in, and changes nothing that others see of the team but its log.
func OwnAct(action string) bool {
	switch action {
	case ActLogin, ActSwitchTeam, ActConfirm, ActAddFactor, ActRemoveFactor, ActRecoveryCodes, ActConnectSignOn, ActDisconnectSignOn, ActExchange:
		return true
	}
	return false
}

// KeyVersion names a version of a secret that was handed out or made.
type KeyVersion struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
}

// Entry is one line of the audit log. It never holds a secret value, a
// password, a token or a request body: there is no field for one.
type Entry struct {
	// Seq is the entry's number in its team's chain, dense from 1; it is given
	// when the entry is stored.
	Seq    int64
	ID     string
	At     time.Time
	TeamID string
	// ActorKind, ActorID and ActorName say who: the name is an email address,
	// and for an unknown person of a failed login it is empty.
	ActorKind, ActorID, ActorName string
	// CredentialID is the API key used, if one was.
	CredentialID string
	Action       string
	// Target is the key, app, member or API key acted on.
	Target  string
	Outcome Outcome
	// Reason is the problem code of a denial or failure. Of what an app printed,
	// it is which version, which key and how often; of a search of files, how much
	// was asked.
	Reason                string
	RemoteAddr, RequestID string
	RunID                 string
	Versions              []KeyVersion
}

// By starts an entry for an actor's act in its team.
func By(actor team.Actor, action team.Action, target string, outcome Outcome) Entry {
	kind := string(actor.Kind())
	if actor.IsService() && actor.Kind() == team.Key {
		kind = "service"
	}
	return Entry{
		TeamID:       actor.TeamID(),
		ActorKind:    kind,
		ActorID:      actor.UserID(),
		ActorName:    actor.Email(),
		CredentialID: actor.CredentialID(),
		Action:       string(action),
		Target:       target,
		Outcome:      outcome,
		RemoteAddr:   actor.RemoteAddr(),
		RequestID:    actor.RequestID(),
	}
}

// Log appends entries that have no other effect to go with. An entry is
// durable when AppendAudit returns; within a transaction, when that commits.
type Log interface {
	AppendAudit(ctx context.Context, e Entry) error
}

// Record appends an entry for a disclosure, a denial or a failure, which have
// no effect but the answer: the answer leaves after Record returns nil. If the
// entry can't be written, the error is problem.Unavailable.
func Record(ctx context.Context, log Log, e Entry) error {
	err := log.AppendAudit(ctx, e)
	if err == nil || errors.Is(err, problem.Unavailable) {
		return err
	}
	return &problem.Error{
		Code: problem.Unavailable, Detail: "The audit log can't be written, so nothing was done. Try again.",
		Cause: fmt.Errorf("record %s (%s): %w", e.Action, e.Outcome, err),
	}
}

// Guard is the way into every domain function: it asks the policy, and
// records a denial before it returns it. If the denial can't be recorded, the
// answer is Unavailable. What is allowed is recorded by the caller, in the
// transaction of its effect.
func Guard(ctx context.Context, log Log, actor team.Actor, action team.Action, target string) error {
	denial := actor.Authorize(action)
	if denial == nil {
		return nil
	}
	return Deny(ctx, log, actor, action, target, denial)
}

// Deny records a denial and returns it, also one that depends on more than the
// policy's table. If it can't be recorded, the answer is Unavailable.
func Deny(ctx context.Context, log Log, actor team.Actor, action team.Action, target string, denial error) error {
	e := By(actor, action, target, Denied)
	e.Reason = string(problem.CodeOf(denial))
	if err := Record(ctx, log, e); err != nil {
		return err
	}
	return denial
}

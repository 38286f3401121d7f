package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// RecoveryCodes is how many are made at a time.
	RecoveryCodes = 10
	// 16 characters of base32 hold 80 bits, so that a fast hash suffices.
	recoveryLength = 16
	recoveryGroup  = 4
)

// NewRecoveryCodes makes new recovery codes for the session's person, who sees
// them this once. Those that there were are worth nothing any more.
//
// Errors: problem.Conflict for one who has no second factor, and those of
// audit.Guard.
func (s *Sessions) NewRecoveryCodes(ctx context.Context, cur Session) ([]redact.Value, error) {
	actor := cur.Actor
	if err := audit.Guard(ctx, s.store, actor, team.ChangeSelf, audit.ActRecoveryCodes); err != nil {
		return nil, err
	}
	codes, hashes := newRecoveryCodes(actor.UserID())
	return codes, s.store.Update(ctx, func(tx Tx) error {
		have, err := tx.Factors(ctx, actor.UserID())
		if err != nil {
			return err
		}
		if !have.On() {
			return problem.New(problem.Conflict, "There is nothing to recover: add an authenticator app or a passkey first.")
		}
		if err := tx.SetRecoveryCodes(ctx, actor.UserID(), hashes); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.By(actor, audit.ActRecoveryCodes, "", audit.Allowed))
	})
}

func newRecoveryCodes(user string) (codes []redact.Value, hashes [][]byte) {
	for range RecoveryCodes {
		code := rand.Text()[:recoveryLength]
		var groups []string
		for i := 0; i < recoveryLength; i += recoveryGroup {
			groups = append(groups, code[i:i+recoveryGroup])
		}
		codes = append(codes, redact.NewValue(strings.Join(groups, "-")))
		hashes = append(hashes, hashRecoveryCode(user, code))
	}
	return codes, hashes
}

// hashRecoveryCode is what is stored: bound to its person, so that a row that
// is moved to another one is worth nothing.
func hashRecoveryCode(user, code string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "infsh recovery code\x00%s\x00%s", user, code))
	return sum[:]
}

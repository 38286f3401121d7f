package auth

import (
	"context"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// ResetPassword stores a new password for an operator at the machine, for one
// who has forgotten the old one. All sessions and command line logins of the
// account end; API keys stay.
//
// Errors: problem.PermissionDenied for anybody but an operator,
// problem.NotFound for an address without an account, problem.InvalidField
// (field password).
func (s *Sessions) ResetPassword(ctx context.Context, operator team.Actor, email string, password redact.Value) error {
	if operator.Kind() != team.Operator {
		return problem.New(problem.PermissionDenied, "Permission denied: only an operator at the server itself sets another's password.")
	}
	if err := account.CheckPassword(password, email); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		person, err := operatorFinds(ctx, tx, email)
		if err != nil {
			return err
		}
		if err := tx.SetPasswordHash(ctx, person.UserID, hash, s.now()); err != nil {
			return err
		}
		if err := revokeLogins(ctx, tx, person.UserID, ""); err != nil {
			return err
		}
		entry := audit.By(operator, audit.ActChangePassword, person.Email, audit.Allowed)
		entry.TeamID = person.First.TeamID
		return tx.AppendAudit(ctx, entry)
	})
}

// operatorFinds finds a person by address, for an operator, who may be told that
// there is none.
func operatorFinds(ctx context.Context, tx Tx, email string) (Person, error) {
	person, err := tx.PersonByEmail(ctx, account.FoldEmail(email))
	if err == nil && person.UserID == "" {
		err = problem.New(problem.NotFound, "Not found: nobody has an account with this address.")
	}
	return person, err
}

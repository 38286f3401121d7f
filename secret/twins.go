package secret

import (
	"bytes"
	"context"
	"errors"

	"infsh/audit"
	"infsh/envelope"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// minFingerprint is the length from which on a value has a fingerprint, in bytes.
// That two teams have the same "true" or port says nothing.
const minFingerprint = 8

// FingerprintKey is what the store has of the key of its fingerprints.
type FingerprintKey struct {
	StoreID string
	// KEKCheck is that of the KEK in use.
	KEKCheck []byte
	// Sealed is empty while there is none.
	Sealed []byte
}

// Twin is another team of the same person that holds the same value.
type Twin struct {
	Team    string // its username
	Version int64  // of its secret
}

// openedPrints is the opened key of a store's fingerprints.
type openedPrints struct {
	sealed []byte
	prints *envelope.Fingerprints
}

// prints opens the key of the store's fingerprints, and makes it if there is none,
// or one that the KEK does not open: then they are all made anew. It is nil where
// the store has no identity, or the KEK does not answer.
func (s *Service) prints(ctx context.Context, tx Tx) (*envelope.Fingerprints, error) {
	have, err := tx.FingerprintKey(ctx)
	if err != nil || have.StoreID == "" {
		return nil, err
	}
	prints, err := s.openPrints(have)
	if !errors.Is(err, envelope.ErrOpen) {
		return prints, err
	}
	have, err = tx.MakeFingerprintKey(ctx, have.Sealed, func(storeID string, check []byte) ([]byte, error) {
		return s.kek.WrapNewFingerprintKey(storeID, check)
	})
	if errors.Is(err, envelope.ErrKEKUnavailable) || errors.Is(err, envelope.ErrKEKWrong) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.openPrints(have)
}

func (s *Service) openPrints(have FingerprintKey) (*envelope.Fingerprints, error) {
	if known := s.lastPrints.Load(); known != nil && bytes.Equal(known.sealed, have.Sealed) {
		return known.prints, nil
	}
	prints, err := s.kek.OpenFingerprints(have.StoreID, have.Sealed)
	if errors.Is(err, envelope.ErrKEKUnavailable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.lastPrints.Store(&openedPrints{have.Sealed, prints})
	return prints, nil
}

// addPrint stores the fingerprint of a version that was just added.
func (s *Service) addPrint(ctx context.Context, tx Tx, r Record, number int64, v redact.Value) error {
	if len(v.Reveal()) < minFingerprint {
		return nil
	}
	prints, err := s.prints(ctx, tx)
	if err != nil || prints == nil {
		return err
	}
	return tx.SetFingerprint(ctx, r.TeamID, r.ID, number, prints.Seal(r.TeamID, r.ID, number, prints.Of([]byte(v.Reveal()))))
}

// Twins tells which other teams of a person hold the value that the actor's team
// has under the same key, by fingerprints: no value is opened, but for a version
// that has none yet. Only who may reveal in both teams is told, to anybody else it
// would be a way to try guesses; and both teams' logs have an entry before it
// answers, once for each two versions that somebody had compared.
//
// Errors: problem.SecretNotFound, and those of audit.Guard.
func (s *Service) Twins(ctx context.Context, actor team.Actor, others []team.Actor, key string) ([]Twin, error) {
	if err := audit.Guard(ctx, s.store, actor, team.CompareSecrets, auditKey(key)); err != nil {
		return nil, err
	}
	if !actor.Can(team.RevealSecret) {
		return nil, nil
	}
	var may []team.Actor
	for _, o := range others {
		if o.UserID() != actor.UserID() {
			return nil, problem.New(problem.PermissionDenied, "Permission denied: two people's teams are not compared.")
		}
		if o.TeamID() != actor.TeamID() && o.Can(team.CompareSecrets) && o.Can(team.RevealSecret) {
			may = append(may, o)
		}
	}
	if len(may) == 0 {
		return nil, nil
	}
	var out []Twin
	// Nothing is told before its entries are durable.
	err := s.store.Update(ctx, func(tx Tx) (err error) {
		out, err = s.compareTwins(ctx, tx, actor, may, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) compareTwins(ctx context.Context, tx Tx, actor team.Actor, others []team.Actor, key string) (twins []Twin, err error) {
	rec, err := record(ctx, tx, actor, key)
	if err != nil || rec.Version == 0 {
		return nil, err
	}
	prints, err := s.prints(ctx, tx)
	if err != nil || prints == nil {
		return nil, err
	}
	mine, ok, err := s.printOf(ctx, tx, prints, actor, rec)
	if err != nil || !ok {
		return nil, err
	}
	for _, o := range others {
		other, err := tx.Record(ctx, o.TeamID(), rec.Key)
		if errors.Is(err, problem.SecretNotFound) || err == nil && other.Version == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		theirs, ok, err := s.printOf(ctx, tx, prints, o, other)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if theirs.Equal(mine) {
			twins = append(twins, Twin{Team: o.TeamName(), Version: other.Version})
		}
		entries := []audit.Entry{comparedEntry(actor, rec, o), comparedEntry(o, other, actor)}
		told := true
		for _, e := range entries {
			before, err := tx.Compared(ctx, e)
			if err != nil {
				return nil, err
			}
			told = told && before
		}
		for _, e := range entries {
			if told {
				break
			}
			if err := tx.AppendAudit(ctx, e); err != nil {
				return nil, err
			}
		}
	}
	return twins, nil
}

// comparedEntry is of one team that a key was compared with another.
func comparedEntry(actor team.Actor, r Record, with team.Actor) audit.Entry {
	e := audit.By(actor, team.CompareSecrets, with.TeamName()+" "+string(r.Key), audit.Allowed)
	e.Versions = []audit.KeyVersion{{Key: string(r.Key), Version: r.Version}}
	return e
}

// printOf returns the fingerprint of the version in use, and makes it where it has
// none. A value that is too short has none.
func (s *Service) printOf(ctx context.Context, tx Tx, prints *envelope.Fingerprints, actor team.Actor, r Record) (print envelope.Fingerprint, ok bool, err error) {
	stored, err := tx.Fingerprint(ctx, r.TeamID, r.ID, r.Version)
	if err != nil {
		return print, false, err
	}
	if print, err = prints.Open(r.TeamID, r.ID, r.Version, stored); err == nil {
		return print, true, nil
	}
	dek, err := s.readDEK(ctx, tx, actor)
	if err != nil {
		return print, false, err
	}
	sealed, err := tx.Sealed(ctx, r.TeamID, r.ID, r.Version)
	if err != nil {
		return print, false, err
	}
	value, err := open(dek, r, sealed)
	if errors.Is(err, ErrCorrupt) {
		return print, false, nil
	}
	if err != nil || len(value.Reveal()) < minFingerprint {
		return print, false, err
	}
	print = prints.Of([]byte(value.Reveal()))
	return print, true, tx.SetFingerprint(ctx, r.TeamID, r.ID, r.Version, prints.Seal(r.TeamID, r.ID, r.Version, print))
}

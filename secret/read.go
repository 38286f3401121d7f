package secret

import (
	"context"
	"strings"

	"infsh/audit"
	"infsh/envelope"
	"infsh/envvar"
	"infsh/listing"
	"infsh/redact"
	"infsh/team"
)

// List returns the team's secrets, sorted by key, masked. No value is opened.
func (s *Service) List(ctx context.Context, actor team.Actor) ([]Secret, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return nil, err
	}
	var out []Secret
	err := s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		records, err := r.Records(ctx, actor.TeamID())
		if err != nil {
			return err
		}
		for _, rec := range records {
			shown, err := s.shown(dek, rec)
			if err != nil {
				return err
			}
			out = append(out, shown)
		}
		return nil
	})
	return out, err
}

// Page returns one page of the team's secrets, masked. The database cuts it, and
// no more is opened than the masks that are on it.
func (s *Service) Page(ctx context.Context, actor team.Actor, q listing.Query) (listing.Page[Secret], error) {
	var out listing.Page[Secret]
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return out, err
	}
	err := s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		page, err := r.RecordPage(ctx, actor.TeamID(), q)
		if err != nil {
			return err
		}
		out.Total, out.Before = page.Total, page.Before
		for _, rec := range page.Items {
			shown, err := s.shown(dek, rec)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, shown)
		}
		return nil
	})
	return out, err
}

// Keys returns the keys of the team's secrets, sorted.
func (s *Service) Keys(ctx context.Context, actor team.Actor) (keys []envvar.Key, err error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r Reader) error {
		keys, err = r.Keys(ctx, actor.TeamID())
		return err
	})
	return keys, err
}

// CaseTwins returns, of those of the keys that have one, another key of the
// team that differs only in case.
func (s *Service) CaseTwins(ctx context.Context, actor team.Actor, of []envvar.Key) (map[envvar.Key]envvar.Key, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, ""); err != nil {
		return nil, err
	}
	twins := map[envvar.Key]envvar.Key{}
	err := s.store.View(ctx, func(r Reader) error {
		alike, err := r.KeysAnyCase(ctx, actor.TeamID(), of)
		for _, key := range of {
			for _, other := range alike {
				if other != key && strings.EqualFold(string(other), string(key)) {
					twins[key] = other
				}
			}
		}
		return err
	})
	return twins, err
}

// Get returns one secret, masked.
func (s *Service) Get(ctx context.Context, actor team.Actor, key string) (Secret, error) {
	if err := audit.Guard(ctx, s.store, actor, team.ListSecrets, auditKey(key)); err != nil {
		return Secret{}, err
	}
	var out Secret
	err := s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		rec, err := record(ctx, r, actor, key)
		if err != nil {
			return err
		}
		out, err = s.shown(dek, rec)
		return err
	})
	return out, err
}

// Reveal returns one secret with its value. The audit entry is durable before
// it returns.
func (s *Service) Reveal(ctx context.Context, actor team.Actor, key string) (Secret, redact.Value, error) {
	if err := audit.Guard(ctx, s.store, actor, team.RevealSecret, auditKey(key)); err != nil {
		return Secret{}, redact.Value{}, err
	}
	var out Secret
	var value redact.Value
	err := s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		rec, err := record(ctx, r, actor, key)
		if err != nil {
			return err
		}
		if rec.Version == 0 {
			return noneInUse(rec)
		}
		sealed, err := r.Sealed(ctx, rec.TeamID, rec.ID, rec.Version)
		if err != nil {
			return err
		}
		if out, err = s.shown(dek, rec); err != nil {
			return err
		}
		value, err = open(dek, rec, sealed)
		return err
	})
	if err != nil {
		return Secret{}, redact.Value{}, err
	}
	entry := audit.By(actor, team.RevealSecret, string(out.Key), audit.Allowed)
	entry.Versions = []audit.KeyVersion{{Key: string(out.Key), Version: out.Version}}
	// Nothing leaves before this is durable.
	if err := audit.Record(ctx, s.store, entry); err != nil {
		return Secret{}, redact.Value{}, err
	}
	return out, value, nil
}

// History returns the kept versions of a secret, the newest first.
func (s *Service) History(ctx context.Context, actor team.Actor, key string) ([]Version, error) {
	if err := audit.Guard(ctx, s.store, actor, team.SecretHistory, auditKey(key)); err != nil {
		return nil, err
	}
	var out []Version
	err := s.store.View(ctx, func(r Reader) error {
		dek, err := s.readDEK(ctx, r, actor)
		if err != nil {
			return err
		}
		rec, err := record(ctx, r, actor, key)
		if err != nil {
			return err
		}
		sealed, err := r.Versions(ctx, rec.TeamID, rec.ID)
		if err != nil {
			return err
		}
		for _, v := range sealed {
			masked, err := mask(dek, rec, v.Number, v.Hint)
			if err != nil {
				return err
			}
			out = append(out, Version{Number: v.Number, Masked: masked, CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, State: stateOf(rec, v), ExpiresAt: v.ExpiresAt})
		}
		return nil
	})
	return out, err
}

func stateOf(r Record, v Sealed) VersionState {
	switch {
	case v.Number == r.Version:
		return Active
	case v.Staged:
		return Staged
	}
	return Superseded
}

func (s *Service) readDEK(ctx context.Context, r Reader, actor team.Actor) (*envelope.DEK, error) {
	wrapped, err := r.WrappedDEK(ctx, actor.TeamID())
	if err != nil {
		return nil, err
	}
	return s.openDEK(actor.TeamID(), wrapped)
}

package secret

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

// RunState names what Resolve would answer now, without opening or handing out
// anything: another version of the app or of a secret, a secret or grant more
// or less, gives another name. It is a hash of ids and numbers, no value.
//
// Errors: problem.NotFound for an unknown app and for another team's alike,
// problem.InvalidField, and those of audit.Guard.
func (s *Service) RunState(ctx context.Context, actor team.Actor, run Run) (string, error) {
	if run.App != "" && !strings.Contains(run.App, "/") {
		run.App = actor.TeamName() + "/" + run.App
	}
	if err := audit.Guard(ctx, s.store, actor, team.ResolveApp, auditApp(run.App)); err != nil {
		return "", err
	}
	namespace, name, err := ParseApp(run.App)
	if err != nil {
		return "", err
	}
	if denial := actor.AuthorizeApp(run.App); denial != nil {
		return "", audit.Deny(ctx, s.store, actor, team.ResolveApp, run.App, denial)
	}
	data, err := s.store.ForRun(ctx, actor.TeamID(), namespace, name, run.Version)
	if errors.Is(err, problem.NotFound) {
		return "", unknownApp(run, actor)
	}
	if err != nil {
		return "", err
	}
	ids, err := s.idsOf(ctx, actor, data.Held)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	add := func(parts ...string) {
		for _, p := range parts {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
			h.Write([]byte(p))
		}
	}
	add(actor.TeamID(), data.VersionID)
	for _, declared := range slices.Sorted(maps.Keys(data.Held)) {
		held := data.Held[declared]
		add(string(declared), ids[held.Key])
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(held.Version)))
	}
	for _, i := range data.Decide(s.catalogue).Issued {
		add(i.Key, i.Connection.ID)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(i.Connection.Version)))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// idsOf reads the ids of the secrets that a run would receive, which its data lacks:
// one that was deleted and set anew has the numbers of before. That these are read
// a moment later misses nothing, since whoever is told of a state resolves after it.
func (s *Service) idsOf(ctx context.Context, actor team.Actor, held map[envvar.Key]Held) (map[envvar.Key]string, error) {
	keys := make([]envvar.Key, 0, len(held))
	for _, h := range held {
		keys = append(keys, h.Key)
	}
	ids := make(map[envvar.Key]string, len(keys))
	if len(keys) == 0 {
		return ids, nil
	}
	slices.Sort(keys)
	err := s.store.View(ctx, func(r Reader) error {
		rows, err := r.Current(ctx, actor.TeamID(), slices.Compact(keys))
		for _, row := range rows {
			ids[row.Key] = row.ID
		}
		return err
	})
	return ids, err
}

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
		add(string(declared), held.ID)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(held.Version)))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

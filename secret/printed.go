package secret

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"infsh/audit"
	"infsh/integration"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

// Limits of a report of what an app printed.
const (
	maxFindings     = 2048
	maxFindingCount = 1 << 40
)

// RunnerKey stands in a report for the credential of the runner itself.
const RunnerKey = "INFSH_API_KEY"

var formPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-]{1,32}$`) })

// otherForm counts those that this release does not know: an entry repeats no text
// of a runner's choice.
const otherForm = "other"

// Finding tells how often an app printed a value in one form, such as base64.
type Finding struct {
	Key, Form string
	Count     int64
}

// RecordPrinted writes into the team's activity what a runner masked in the output
// of an app: an entry for each key, with counts by form. The runner is believed, as
// far as the keys are declared by that version; nothing of a value is in a finding.
//
// Errors: problem.NotFound for an unknown app and for another team's alike,
// problem.InvalidField, and those of audit.Guard.
func (s *Service) RecordPrinted(ctx context.Context, actor team.Actor, run Run, findings []Finding) error {
	run.App = qualified(run.App, actor)
	if err := audit.Guard(ctx, s.store, actor, team.ReportPrinted, auditApp(run.App)); err != nil {
		return err
	}
	namespace, name, err := ParseApp(run.App)
	if err != nil {
		return err
	}
	if denial := actor.AuthorizeApp(run.App); denial != nil {
		return audit.Deny(ctx, s.store, actor, team.ReportPrinted, run.App, denial)
	}
	if err := CheckRunID(run.RunID); err != nil {
		return err
	}
	byKey, err := countByKey(findings)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		v, err := tx.AppVersion(ctx, actor.TeamID(), namespace, name, run.Version)
		if errors.Is(err, problem.NotFound) {
			return unknownApp(run, actor)
		}
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(byKey)) {
			if key != RunnerKey && !slices.ContainsFunc(v.Requirements, func(r Requirement) bool { return s.mayGive(r, key) }) {
				return problem.Invalid("findings", "that version of the app does not declare each of these keys")
			}
			entry := audit.By(actor, team.ReportPrinted, run.App, audit.Allowed)
			entry.RunID = run.RunID
			entry.Reason = printed(v.Number, key, byKey[key])
			if err := tx.AppendAudit(ctx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// mayGive reports whether a name of an environment may come from a requirement.
func (s *Service) mayGive(r Requirement, name string) bool {
	if r.Kind == KindSecret {
		return r.Key == name
	}
	capability, ok := s.catalogue.Find(r.Key)
	return ok && slices.ContainsFunc(capability.Provider.Kinds, func(k *integration.Kind) bool { return slices.Contains(k.Names(), name) })
}

// countByKey adds up what is said of the same key and form.
func countByKey(findings []Finding) (map[string]map[string]int64, error) {
	if len(findings) == 0 || len(findings) > maxFindings {
		return nil, problem.Invalid("findings", "a report has between 1 and %d findings", maxFindings)
	}
	byKey := map[string]map[string]int64{}
	for _, f := range findings {
		if !formPattern().MatchString(f.Form) || f.Count < 1 || f.Count > maxFindingCount {
			return nil, problem.Invalid("findings", "a finding has a key, a form in lower-case letters, digits and dashes, and a count from 1")
		}
		if byKey[f.Key] == nil {
			byKey[f.Key] = map[string]int64{}
		}
		form := f.Form
		if !redact.Form(form).Known() {
			form = otherForm
		}
		byKey[f.Key][form] += f.Count
	}
	return byKey, nil
}

// printed is the text of an entry: version 3 printed OPENAI_API_KEY 3 times (base64 1, raw 2).
func printed(version int64, key string, forms map[string]int64) string {
	var total int64
	var each []string
	for _, form := range slices.Sorted(maps.Keys(forms)) {
		total += forms[form]
		each = append(each, fmt.Sprintf("%s %d", form, forms[form]))
	}
	times := "times"
	if total == 1 {
		times = "time"
	}
	return fmt.Sprintf("version %d printed %s %d %s (%s)", version, key, total, times, strings.Join(each, ", "))
}

// CheckRunID refuses what can't be a runner's name for a run, as
// problem.InvalidField; an empty one is none.
func CheckRunID(id string) error {
	if id != "" && (len(id) > MaxRunIDLength || !runIDPattern().MatchString(id)) {
		return problem.Invalid("run_id", "a run id has at most %d characters: letters, digits and . _ : / @ + -", MaxRunIDLength)
	}
	return nil
}

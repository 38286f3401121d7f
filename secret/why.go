package secret

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"infsh/envvar"
	"infsh/problem"
	"infsh/team"
)

// StepName names a step of a decision.
type StepName string

const (
	// StepDeclared: the version declares the key.
	StepDeclared StepName = "declared"
	// StepAllowed: the name may be in an environment. It stands only where it may not.
	StepAllowed StepName = "allowed"
	// StepGranted: the team lets the app have it.
	StepGranted StepName = "granted"
	// StepBound: the value is that of another key. It stands only where it is.
	StepBound StepName = "bound"
	// StepSet: the team has a value for it.
	StepSet StepName = "set"
	// StepConnected: an account that can serve the integration is connected, and
	// StepScopes: it was allowed what is declared.
	StepConnected StepName = "connected"
	StepScopes    StepName = "scopes"
	// StepRun: nothing else keeps the app from running.
	StepRun StepName = "run"
)

// Step is one step of the decision about a key.
type Step struct {
	Name StepName
	OK   bool
	// Text says what was found, and Todo what to do where it is not OK.
	Text, Todo string
}

// Decision is the resolver's decision about one key, step by step.
type Decision struct {
	TeamName string
	Version  AppVersion
	Key      string
	// Item is nil if the version does not declare the key.
	Item  *Item
	Steps []Step
}

// Injected reports whether a run of the version would receive the key.
func (d Decision) Injected() bool {
	for _, step := range d.Steps {
		if !step.OK {
			return false
		}
	}
	return true
}

// Why tells whether a run of an app's version, the current one if versionID is
// empty, would receive a key, and why. It decides as Resolve does, and opens
// nothing.
func (s *Service) Why(ctx context.Context, actor team.Actor, app, versionID, key string) (Decision, error) {
	v, report, err := s.CheckVersion(ctx, actor, app, versionID)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{TeamName: report.TeamName, Version: v, Key: key}
	for i := range report.Items {
		if report.Items[i].Key == key {
			d.Item = &report.Items[i]
		}
	}
	if _, integrates := s.catalogue.Find(key); d.Item == nil && integrates {
		step := undeclared(v, report.Items, envvar.Key(key))
		step.Todo = "Add it to requirements.integrations in the app's manifest, and run: infsh app deploy"
		d.Steps = []Step{step}
		return d, nil
	}
	if d.Item == nil {
		if d.Item = s.giver(report.Items, key); d.Item != nil {
			d.Steps = d.Item.givenSteps(v, report, key)
			return d, nil
		}
		if _, err := envvar.ParseKey(key); err != nil {
			return Decision{}, problem.Invalid("key", "%v", err)
		}
		d.Steps = []Step{undeclared(v, report.Items, envvar.Key(key))}
		return d, nil
	}
	d.Steps = append(d.Item.Steps(v, report.TeamName), runStep(report.Items, key))
	return d, nil
}

// giver is the declared integration that gives a name; first of all one that does
// so now.
func (s *Service) giver(items []Item, name string) (found *Item) {
	for i := range items {
		item := &items[i]
		if item.Kind != KindIntegration || !s.catalogue.Gives(item.Key, name) {
			continue
		}
		if item.State == Set && slices.Contains(item.Link.Names, name) {
			return item
		}
		if found == nil {
			found = item
		}
	}
	return found
}

// givenSteps explains a name that an integration gives.
func (i Item) givenSteps(v AppVersion, report Report, name string) []Step {
	steps := i.Steps(v, report.TeamName)
	steps[0].Text = i.Key + " gives it, an integration that is " + steps[0].Text
	if i.State == Set && !slices.Contains(i.Link.Names, name) {
		return append(steps, Step{
			Name: StepAllowed, Text: fmt.Sprintf("of %s the app receives %s, and not it", i.Key, strings.Join(i.Link.Names, ", ")),
			Todo: "Name it under “secrets” of the integration in the app's manifest if it is given by " + i.Link.Connection.Name() + ", and run: infsh app deploy",
		})
	}
	return append(steps, runStep(report.Items, i.Key))
}

// Steps explains the item as one of the version's. All are OK if it is
// injected, unless something else stops the run.
func (i Item) Steps(v AppVersion, teamName string) []Step {
	declared := fmt.Sprintf("declared in version %d (%s)", v.Number, origin(v))
	if i.Optional {
		declared += ", as optional"
	}
	steps := []Step{{Name: StepDeclared, OK: true, Text: declared}}
	if i.Kind != KindSecret {
		return append(steps, i.linkSteps(teamName)...)
	}
	if i.State == Refused {
		steps = append(steps, Step{Name: StepAllowed, Text: envvar.Key(i.Key).Permit(true).Error(), Todo: "Declare another name, and deploy."})
	}
	steps = append(steps, i.grantStep(teamName))
	if i.Grant.Bound() {
		steps = append(steps, Step{Name: StepBound, OK: true, Text: fmt.Sprintf("bound to %s: that is the team's key whose value it receives", i.Source())})
	}
	return append(steps, i.setStep(teamName))
}

func (i Item) grantStep(teamName string) Step {
	step := Step{Name: StepGranted, OK: i.Grant.State.gives()}
	if !step.OK {
		step.Todo = fmt.Sprintf("An owner or admin of team %s approves it on the app's page, or with: infsh app approve %s %s", teamName, i.App, i.Key)
	}
	switch i.Grant.State {
	case Granted:
		step.Text = "granted" + by(i.Grant.DecidedBy, i.Grant.DecidedAt)
	case GrantWaiting:
		step.Text = fmt.Sprintf("waits for approval: asked for in version %d%s", i.Grant.RequestedVersion, by(i.Grant.RequestedBy, i.Grant.RequestedAt))
	case GrantRevoked:
		step.Text = "revoked" + by(i.Grant.DecidedBy, i.Grant.DecidedAt)
	default:
		step.Text = "not granted: nobody has asked for it"
	}
	return step
}

func (i Item) setStep(teamName string) Step {
	source := i.Source()
	if i.Version > 0 {
		return Step{Name: StepSet, OK: true, Text: fmt.Sprintf("%s is set in team %s, at version %d", source, teamName, i.Version)}
	}
	if i.StagedVersion > 0 {
		return Step{
			Name: StepSet, Text: fmt.Sprintf("%s is not in use in team %s yet: its version %d is staged", source, teamName, i.StagedVersion),
			Todo: fmt.Sprintf("Activate it: infsh secrets activate %s --version %d", source, i.StagedVersion),
		}
	}
	step := Step{Name: StepSet, Text: fmt.Sprintf("%s is not set in team %s", source, teamName), Todo: "Set it: infsh secrets set " + string(source)}
	if i.Optional {
		step.Text += "; it is optional, so the app runs without it"
	}
	for _, near := range i.NearMisses {
		if near.Team != "" {
			step.Text += fmt.Sprintf("; it is set in your team %s", near.Team)
		} else {
			step.Text += fmt.Sprintf("; %s is set (%s)", near.Key, near.Reason)
		}
	}
	if key := i.Binding(); key != "" && i.App != "" {
		step.Todo += fmt.Sprintf(", or let the app have %s for it: infsh app approve %s %s --bind %s=%s", key, i.App, i.Key, i.Key, key)
	}
	return step
}

// runStep says whether other keys stop a run, in which case nothing at all is
// injected.
func runStep(items []Item, key string) Step {
	var others []string
	for _, item := range blocking(items) {
		if item.Key != key {
			others = append(others, item.Key)
		}
	}
	if len(others) == 0 {
		return Step{Name: StepRun, OK: true, Text: "no other required key keeps the app from running"}
	}
	return Step{
		Name: StepRun,
		Text: "the app does not run, and receives nothing, because of " + strings.Join(others, ", "),
		Todo: "See why: infsh why " + others[0] + " --app " + items[0].App,
	}
}

func undeclared(v AppVersion, items []Item, key envvar.Key) Step {
	step := Step{
		Name: StepDeclared, Text: fmt.Sprintf("version %d (%s) does not declare it", v.Number, origin(v)),
		Todo: "Add it to requirements.secrets in the app's manifest, and run: infsh app deploy",
	}
	var declared []envvar.Key
	for _, item := range items {
		if item.Kind != KindSecret {
			continue
		}
		declared = append(declared, envvar.Key(item.Key))
		if item.Grant.Bound() && item.Source() == key {
			step.Text += fmt.Sprintf("; its value is given as %s, which is bound to it", item.Key)
		}
	}
	for _, near := range envvar.NearMisses(key, declared) {
		step.Text += fmt.Sprintf("; it declares %s (%s)", near.Key, near.Reason)
	}
	return step
}

func origin(v AppVersion) string {
	const digits = 12
	digest := v.Digest
	if len(digest) > digits {
		digest = digest[:digits]
	}
	return "digest " + digest + ", deployed" + by(v.CreatedBy, v.CreatedAt)
}

// by ends a sentence with who did it, and when.
func by(who string, at time.Time) string {
	out := ""
	if who != "" {
		out = " by " + who
	}
	if !at.IsZero() {
		out += " on " + at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return out
}

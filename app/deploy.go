package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
	"infsh/team"
)

// Registration is what a manifest says.
type Registration struct {
	// Namespace is the team's username if empty.
	Namespace    string
	Name         string
	Description  string
	Requirements []secret.Requirement
	// VersionID, if not empty, says that this is the content of that version.
	// It must be: a version never changes.
	VersionID string `json:"-"`
	// KeepRevoked leaves a key revoked that was revoked. A deployment asks for
	// such a key anew; a run, which deploys by the way, must not.
	KeepRevoked bool `json:"-"`
}

// Deployment is what came of a deployment.
type Deployment struct {
	App App
	// Version is the deployed one. It is App's current one unless it waits.
	Version Version
	// Made tells whether there is a new version.
	Made bool
	// Granted are the keys that this deployment granted, and Regranted those
	// among them that had been revoked.
	Granted, Regranted []envvar.Key
	// Waiting are the keys of the version that wait for an owner or admin, and
	// Revoked those that one of them revoked.
	Waiting, Revoked []envvar.Key
}

// IsCurrent reports whether the deployed version is what runs use that name none.
func (d Deployment) IsCurrent() bool { return d.App.Current.ID == d.Version.ID }

// Deploy registers a manifest as the app's next version and makes it current.
// The same content as an earlier version makes that one current.
//
// Who may write secrets grants what the version declares. What anyone else
// deploys waits where it declares keys that the team has not granted to the
// app. Such a version stays behind the current one as long as that can run, and
// becomes current when its required keys are granted.
func (s *Service) Deploy(ctx context.Context, actor team.Actor, reg Registration) (Deployment, error) {
	if reg.Namespace == "" {
		reg.Namespace = actor.TeamName()
	}
	if err := audit.Guard(ctx, s.store, actor, team.DeployApp, auditName(reg)); err != nil {
		return Deployment{}, err
	}
	if err := check(reg); err != nil {
		return Deployment{}, err
	}
	digest, err := digestOf(reg)
	if err != nil {
		return Deployment{}, err
	}
	var out Deployment
	err = s.store.Update(ctx, func(tx Tx) (err error) {
		if _, err := tx.LockTeam(ctx, actor.TeamID()); err != nil {
			return err
		}
		// The transaction may run again, so its outcome starts anew.
		out, err = s.deploy(ctx, tx, actor, reg, digest)
		return err
	})
	if err != nil {
		return Deployment{}, err
	}
	return out, nil
}

func (s *Service) deploy(ctx context.Context, tx Tx, actor team.Actor, reg Registration, digest string) (Deployment, error) {
	a, err := tx.AppByName(ctx, actor.TeamID(), reg.Namespace, reg.Name)
	isNew := errors.Is(err, problem.NotFound)
	if err != nil && !isNew {
		return Deployment{}, err
	}
	now := s.now()
	if isNew {
		a = App{ID: uuid.NewString(), TeamID: actor.TeamID(), Namespace: reg.Namespace, Name: reg.Name, CreatedByID: actor.UserID(), CreatedAt: now}
	}
	versions, err := tx.Versions(ctx, actor.TeamID(), a.ID)
	if err != nil {
		return Deployment{}, err
	}
	if err := sameContent(versions, reg.VersionID, digest); err != nil {
		return Deployment{}, err
	}
	version, known := withDigest(versions, digest)
	if !known {
		version = Version{
			ID: uuid.NewString(), Number: int64(len(versions)) + 1, Digest: digest,
			Requirements: reg.Requirements, CreatedBy: actor.Email(), CreatedAt: now,
		}
	}
	grants, err := tx.Grants(ctx, actor.TeamID(), a.ID)
	if err != nil {
		return Deployment{}, err
	}
	runnable := !isNew && len(grants.Stops(a.Current.Requirements)) == 0
	out := Deployment{Version: version, Made: !known}
	changed := s.ask(actor, a, version, grants, reg.KeepRevoked, &out)

	before := a
	if len(grants.Stops(version.Requirements)) > 0 && runnable {
		a.PendingID = version.ID
	} else {
		a.Current, a.PendingID = version, ""
	}
	moved := isNew || before.Current.ID != a.Current.ID || before.PendingID != a.PendingID
	if moved || out.Made {
		a.Description, a.UpdatedAt = reg.Description, now
	}
	out.App = a
	if !moved && !out.Made && len(changed) == 0 {
		return out, nil
	}
	switch {
	case isNew:
		err = tx.InsertApp(ctx, a)
	case moved || out.Made:
		err = tx.SetApp(ctx, a)
	}
	if err == nil && out.Made {
		err = tx.InsertVersion(ctx, actor.TeamID(), a.ID, actor.UserID(), version)
	}
	if err != nil {
		return Deployment{}, err
	}
	entry := audit.By(actor, team.DeployApp, a.FullName(), audit.Allowed)
	entry.Reason = fmt.Sprintf("version %d", version.Number)
	if err := tx.AppendAudit(ctx, entry); err != nil {
		return Deployment{}, err
	}
	return out, record(ctx, tx, actor, a, changed)
}

// ask settles the grants of what a version declares, in grants too, and says
// in out what came of it. It returns the grants that changed.
func (s *Service) ask(actor team.Actor, a App, v Version, grants secret.Grants, keepRevoked bool, out *Deployment) []change {
	var changes []change
	mayGrant, note := actor.Can(team.AllowGrant), fmt.Sprintf("deployed in version %d", v.Number)
	for _, key := range v.Asks() {
		g, asked := grants[key]
		revoked := g.State == secret.GrantRevoked
		if !asked {
			g = secret.Grant{AppID: a.ID, Key: key, SourceKey: key}
		}
		switch {
		case g.State == secret.Granted:
			continue
		case revoked && keepRevoked:
			out.Revoked = append(out.Revoked, key)
			continue
		case mayGrant:
			if !asked || revoked {
				g = requested(g, actor, v, s.now())
			}
			g = decided(g, secret.Granted, actor, s.now())
			changes = append(changes, change{g, team.AllowGrant, note})
			out.Granted = append(out.Granted, key)
			if revoked {
				out.Regranted = append(out.Regranted, key)
			}
		default:
			out.Waiting = append(out.Waiting, key)
			if g.State == secret.GrantWaiting {
				continue
			}
			g = requested(g, actor, v, s.now())
			changes = append(changes, change{g, team.AskGrant, note})
		}
		grants[key] = g
	}
	return changes
}

// sameContent refuses other content for a version that is there (R5).
func sameContent(versions []Version, id, digest string) error {
	if id == "" {
		return nil
	}
	for _, v := range versions {
		if v.ID == id && v.Digest == digest {
			return nil
		}
		if v.ID == id {
			return problem.New(problem.Conflict, "Version %d of this app is registered with other content, and a version never changes. Deploy without a version id to make the next one.", v.Number)
		}
	}
	return problem.New(problem.Conflict, "This app has no version with that id, and ids are given by the server. Deploy without one to make the next version.")
}

func check(reg Registration) error {
	var fields []problem.Field
	if err := secret.CheckSlug(reg.Namespace); err != nil {
		fields = append(fields, problem.Field{Name: "namespace", Message: err.Error()})
	}
	if err := secret.CheckSlug(reg.Name); err != nil {
		fields = append(fields, problem.Field{Name: "name", Message: err.Error()})
	}
	if err := checkDescription(reg.Description); err != nil {
		fields = append(fields, problem.Field{Name: "description", Message: err.Error()})
	}
	err := secret.ParseRequirements(reg.Requirements)
	var invalid *problem.Error
	if errors.As(err, &invalid) {
		for _, f := range invalid.Fields {
			fields = append(fields, problem.Field{Name: "version.required_" + f.Name, Message: f.Message})
		}
	}
	if len(fields) > 0 {
		return &problem.Error{Code: problem.InvalidField, Fields: fields}
	}
	return err
}

// digestOf pins what a version declares: name, description and requirements,
// in their order, as JSON.
func digestOf(reg Registration) (string, error) {
	b, err := json.Marshal(reg)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func withDigest(versions []Version, digest string) (Version, bool) {
	for _, v := range versions {
		if v.Digest == digest {
			return v, true
		}
	}
	return Version{}, false
}

func auditName(reg Registration) string {
	name := reg.Namespace + "/" + reg.Name
	if _, _, err := secret.ParseApp(name); err != nil {
		return "(not a valid app name)"
	}
	return name
}

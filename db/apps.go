package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"infsh/app"
	"infsh/audit"
	"infsh/envvar"
	"infsh/problem"
	"infsh/secret"
)

// Apps implements app.Store.
type Apps struct{ db *DB }

// Apps returns the store of apps.
func (d *DB) Apps() *Apps { return &Apps{db: d} }

func (s *Apps) AppendAudit(ctx context.Context, e audit.Entry) error { return s.db.AppendAudit(ctx, e) }

func (s *Apps) View(ctx context.Context, fn func(app.Reader) error) error {
	return s.db.view(ctx, func(q querier) error { return fn(appTx{q}) })
}

func (s *Apps) Update(ctx context.Context, fn func(app.Tx) error) error {
	return s.db.update(ctx, func(q querier) error { return fn(appTx{q}) })
}

type appTx struct{ q querier }

type appRow struct {
	ID          string `db:"id"`
	TeamID      string `db:"team_id"`
	Namespace   string `db:"namespace"`
	Name        string `db:"name"`
	Description string `db:"description"`
	CreatedByID string `db:"created_by"`
	CreatedAt   int64  `db:"created_at"`
	UpdatedAt   int64  `db:"updated_at"`
	versionRow
}

type versionRow struct {
	VersionID    string `db:"version_id"`
	Number       int64  `db:"number"`
	Digest       string `db:"digest"`
	Requirements string `db:"requirements"`
	VersionBy    string `db:"version_by"`
	VersionAt    int64  `db:"version_at"`
}

func (r versionRow) version() (app.Version, error) {
	v := app.Version{ID: r.VersionID, Number: r.Number, Digest: r.Digest, CreatedBy: r.VersionBy, CreatedAt: fromMicros(r.VersionAt)}
	if err := json.Unmarshal([]byte(r.Requirements), &v.Requirements); err != nil {
		return app.Version{}, fmt.Errorf("requirements of version %s: %w", r.VersionID, err)
	}
	return v, nil
}

func (r appRow) app() (app.App, error) {
	v, err := r.version()
	return app.App{
		ID: r.ID, TeamID: r.TeamID, Namespace: r.Namespace, Name: r.Name, Description: r.Description, Current: v,
		CreatedByID: r.CreatedByID, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}, err
}

const versionColumns = `v.id AS version_id, v.number, v.digest, v.requirements, COALESCE(u.email, '') AS version_by, v.created_at AS version_at`

const selectApps = `SELECT a.id, a.team_id, a.namespace, a.name, a.description, a.created_by, a.created_at, a.updated_at, ` + versionColumns + `
	FROM apps a JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND v.id = a.version_id
	LEFT JOIN users u ON u.id = v.created_by
	WHERE a.team_id = ?`

func (t appTx) AppendAudit(ctx context.Context, e audit.Entry) error {
	return appendAudit(ctx, t.q, e)
}

func (t appTx) LockTeam(ctx context.Context, team string) ([]byte, error) {
	return wrappedDEK(ctx, t.q, team, t.q.forUpdate())
}

func (t appTx) Apps(ctx context.Context, team string) ([]app.App, error) {
	var rows []appRow
	if err := t.q.list(ctx, &rows, selectApps+" ORDER BY a.namespace, a.name", team); err != nil {
		return nil, fmt.Errorf("list apps: %w", err)
	}
	apps := make([]app.App, len(rows))
	for i, r := range rows {
		var err error
		if apps[i], err = r.app(); err != nil {
			return nil, err
		}
	}
	return apps, nil
}

func (t appTx) one(ctx context.Context, where string, args ...any) (app.App, error) {
	var row appRow
	err := t.q.get(ctx, &row, selectApps+where, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return app.App{}, problem.New(problem.NotFound, "Not found: there is no such app in this team.")
	}
	if err != nil {
		return app.App{}, fmt.Errorf("read app: %w", err)
	}
	return row.app()
}

func (t appTx) AppByID(ctx context.Context, team, id string) (app.App, error) {
	return t.one(ctx, " AND a.id = ?", team, id)
}

func (t appTx) AppByName(ctx context.Context, team, namespace, name string) (app.App, error) {
	return t.one(ctx, " AND a.namespace = ? AND a.name = ?", team, namespace, name)
}

func (t appTx) Versions(ctx context.Context, team, appID string) ([]app.Version, error) {
	var rows []versionRow
	err := t.q.list(ctx, &rows, "SELECT "+versionColumns+" FROM app_versions v LEFT JOIN users u ON u.id = v.created_by WHERE v.team_id = ? AND v.app_id = ? ORDER BY v.number DESC", team, appID)
	if err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	versions := make([]app.Version, len(rows))
	for i, r := range rows {
		if versions[i], err = r.version(); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

func (t appTx) InsertApp(ctx context.Context, a app.App) error {
	_, err := t.q.exec(ctx, `INSERT INTO apps (id, team_id, namespace, name, description, version_id, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.TeamID, a.Namespace, a.Name, a.Description, a.Current.ID, a.CreatedByID, micros(a.CreatedAt), micros(a.UpdatedAt))
	if isUnique(err) {
		return &problem.Error{Code: problem.Conflict, Detail: "This app was registered by someone else just now. Try again.", Cause: err}
	}
	return err
}

func (t appTx) SetCurrent(ctx context.Context, a app.App) error {
	_, err := t.q.exec(ctx, "UPDATE apps SET description = ?, version_id = ?, updated_at = ? WHERE team_id = ? AND id = ?",
		a.Description, a.Current.ID, micros(a.UpdatedAt), a.TeamID, a.ID)
	return err
}

func (t appTx) InsertVersion(ctx context.Context, team, appID, createdByID string, v app.Version) error {
	requirements, err := json.Marshal(v.Requirements)
	if err != nil {
		return err
	}
	_, err = t.q.exec(ctx, `INSERT INTO app_versions (id, team_id, app_id, number, digest, requirements, created_by, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, team, appID, v.Number, v.Digest, string(requirements), createdByID, micros(v.CreatedAt))
	return err
}

// DeclaredKeys implements secret.Reader.
func (t secretTx) DeclaredKeys(ctx context.Context, team, exceptApp string) ([]envvar.Key, error) {
	apps, err := appTx(t).Apps(ctx, team)
	if err != nil {
		return nil, err
	}
	var keys []envvar.Key
	for _, a := range apps {
		if a.FullName() == exceptApp {
			continue
		}
		for _, r := range a.Current.Requirements {
			if r.Kind == secret.KindSecret {
				keys = append(keys, envvar.Key(r.Key))
			}
		}
	}
	return keys, nil
}

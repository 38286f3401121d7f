package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"infsh/app"
	"infsh/audit"
	"infsh/envvar"
	"infsh/integration"
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
	PendingID   string `db:"pending_version_id"`
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
		ID: r.ID, TeamID: r.TeamID, Namespace: r.Namespace, Name: r.Name, Description: r.Description, Current: v, PendingID: r.PendingID,
		CreatedByID: r.CreatedByID, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}, err
}

var versionColumns = `v.id AS version_id, v.number, v.digest, v.requirements, ` + author("u", "v.team_id", "v.created_by") + ` AS version_by, v.created_at AS version_at`

var selectApps = `SELECT a.id, a.team_id, a.namespace, a.name, a.description, a.pending_version_id, a.created_by, a.created_at, a.updated_at, ` + versionColumns + `
	FROM apps a JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND v.id = a.version_id
	LEFT JOIN users u ON u.id = v.created_by
	WHERE a.team_id = ?`

// Connections implements app.Reader.
func (t appTx) Connections(ctx context.Context, team string) ([]integration.Held, error) {
	all, err := connections(ctx, t.q, []string{team})
	return all[team], err
}

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
	return t.one(ctx, " AND a.id = ?", team, searchable(id))
}

func (t appTx) AppByName(ctx context.Context, team, namespace, name string) (app.App, error) {
	return t.one(ctx, " AND a.namespace = ? AND a.name = ?", team, searchable(namespace), searchable(name))
}

var selectAppVersions = "SELECT " + versionColumns + " FROM app_versions v LEFT JOIN users u ON u.id = v.created_by WHERE v.team_id = ? AND v.app_id = ?"

func (t appTx) Versions(ctx context.Context, team, appID string) ([]app.Version, error) {
	var rows []versionRow
	if err := t.q.list(ctx, &rows, selectAppVersions+" ORDER BY v.number DESC", team, appID); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	versions := make([]app.Version, len(rows))
	for i, r := range rows {
		var err error
		if versions[i], err = r.version(); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// A version is named by its id or its number; what is this short is no id, and is
// taken for a number.
const (
	maxNumberDigits = 19
	numberDigits    = "19"
)

func (t appTx) version(ctx context.Context, team, appID, id string) (app.Version, error) {
	var row versionRow
	where := " AND v.id = ?"
	if len(id) <= maxNumberDigits {
		where = " AND CAST(v.number AS TEXT) = ?"
	}
	err := t.q.get(ctx, &row, selectAppVersions+where, team, appID, searchable(id))
	if errors.Is(err, sql.ErrNoRows) {
		return app.Version{}, problem.New(problem.NotFound, "Not found: the app has no such version.")
	}
	if err != nil {
		return app.Version{}, fmt.Errorf("read version: %w", err)
	}
	return row.version()
}

func (t appTx) InsertApp(ctx context.Context, a app.App) error {
	_, err := t.q.exec(ctx, `INSERT INTO apps (id, team_id, namespace, name, description, version_id, pending_version_id, created_by, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.TeamID, a.Namespace, a.Name, a.Description, a.Current.ID, a.PendingID, a.CreatedByID, micros(a.CreatedAt), micros(a.UpdatedAt))
	if isUnique(err) {
		return &problem.Error{Code: problem.Conflict, Detail: "This app was registered by someone else just now. Try again.", Cause: err}
	}
	return err
}

func (t appTx) SetApp(ctx context.Context, a app.App) error {
	_, err := t.q.exec(ctx, "UPDATE apps SET description = ?, version_id = ?, pending_version_id = ?, updated_at = ? WHERE team_id = ? AND id = ?",
		a.Description, a.Current.ID, a.PendingID, micros(a.UpdatedAt), a.TeamID, a.ID)
	return err
}

func (t appTx) DeleteApp(ctx context.Context, team, appID string) error {
	_, err := t.q.exec(ctx, "DELETE FROM apps WHERE team_id = ? AND id = ?", team, appID)
	return err
}

func (t appTx) Keys(ctx context.Context, team string) ([]envvar.Key, error) {
	return secretTx(t).Keys(ctx, team)
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

// AppVersion implements secret.Reader.
func (t secretTx) AppVersion(ctx context.Context, team, namespace, name, versionID string) (secret.AppVersion, error) {
	a, err := appTx(t).AppByName(ctx, team, namespace, name)
	if err != nil {
		return secret.AppVersion{}, err
	}
	v := a.Current
	if versionID != "" && versionID != v.ID && versionID != strconv.FormatInt(v.Number, 10) {
		if v, err = appTx(t).version(ctx, team, a.ID, versionID); err != nil {
			return secret.AppVersion{}, err
		}
	}
	grants, err := appTx(t).Grants(ctx, team, a.ID)
	return secret.AppVersion{
		AppID: a.ID, App: a.FullName(), ID: v.ID, Number: v.Number, Digest: v.Digest, CreatedBy: v.CreatedBy, CreatedAt: v.CreatedAt,
		Current: v.ID == a.Current.ID, Requirements: v.Requirements, Grants: grants,
	}, err
}

// DeclaredKeys implements secret.Reader.
func (t secretTx) DeclaredKeys(ctx context.Context, team, exceptApp string) ([]envvar.Key, error) {
	declared, err := t.Declarations(ctx, team)
	var keys []envvar.Key
	for _, d := range declared {
		if d.App != exceptApp {
			keys = append(keys, d.Key)
		}
	}
	return keys, err
}

// Declarations implements secret.Reader.
func (t secretTx) Declarations(ctx context.Context, team string) ([]secret.Declaration, error) {
	var rows []struct {
		AppID        string `db:"app_id"`
		App          string `db:"app"`
		Requirements string `db:"requirements"`
	}
	err := t.q.list(ctx, &rows, `SELECT a.id AS app_id, a.namespace || '/' || a.name AS app, v.requirements
		FROM apps a JOIN app_versions v ON v.team_id = a.team_id AND v.app_id = a.id AND v.id IN (a.version_id, a.pending_version_id)
		WHERE a.team_id = ? ORDER BY a.namespace, a.name, v.number`, team)
	if err != nil {
		return nil, fmt.Errorf("list declarations: %w", err)
	}
	var bound []struct {
		AppID     string     `db:"app_id"`
		Key       string     `db:"key"`
		SourceKey envvar.Key `db:"source_key"`
	}
	err = t.q.list(ctx, &bound, "SELECT app_id, key, source_key FROM app_grants WHERE team_id = ? AND source_key <> key", team)
	if err != nil {
		return nil, fmt.Errorf("list bound keys: %w", err)
	}
	sources := map[[2]string]envvar.Key{}
	for _, b := range bound {
		sources[[2]string{b.AppID, b.Key}] = b.SourceKey
	}
	var out []secret.Declaration
	for _, r := range rows {
		var reqs []secret.Requirement
		if err := json.Unmarshal([]byte(r.Requirements), &reqs); err != nil {
			return nil, fmt.Errorf("requirements of app %s: %w", r.AppID, err)
		}
		for _, req := range reqs {
			if req.Kind != secret.KindSecret {
				continue
			}
			key := envvar.Key(req.Key)
			if source, ok := sources[[2]string{r.AppID, req.Key}]; ok {
				key = source
			}
			out = append(out, secret.Declaration{App: r.App, Key: key, Description: req.Description, Optional: req.Optional})
		}
	}
	return out, nil
}

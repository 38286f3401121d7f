package db

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"infsh/auth"
	"infsh/problem"
	"infsh/team"
)

type keyRow struct {
	ID         string    `db:"id"`
	Kind       team.Kind `db:"kind"`
	TeamID     string    `db:"team_id"`
	UserID     string    `db:"user_id"`
	Email      string    `db:"email"`
	Name       string    `db:"name"`
	LastFour   string    `db:"last_four"`
	Scopes     string    `db:"scopes"`
	CreatedAt  int64     `db:"created_at"`
	LastUsedAt int64     `db:"last_used_at"`
	ExpiresAt  int64     `db:"expires_at"`
	Service    team.Role `db:"service_role"`
	AppID      string    `db:"app_id"`
	AppName    string    `db:"app_name"`
}

// boundScope stands in the row of a key that is bound to an app, in the place
// of its scopes. A server of an earlier release, which does not know bindings,
// does not know the scope either, and lets the key do nothing.
const boundScope = "apps:execute@app"

func (r keyRow) key() auth.Key {
	k := auth.Key{
		ID: r.ID, Kind: r.Kind, TeamID: r.TeamID, UserID: r.UserID, Email: r.Email, Name: r.Name, LastFour: r.LastFour, Scopes: parseScopes(r.Scopes),
		CreatedAt: fromMicros(r.CreatedAt), LastUsedAt: fromMicros(r.LastUsedAt), ExpiresAt: fromMicros(r.ExpiresAt),
		Service: r.Service, App: team.AppBinding{ID: r.AppID, Name: r.AppName},
	}
	if !k.App.IsZero() && r.Scopes == boundScope {
		k.Scopes = team.Scopes{team.ScopeAppsExecute}
	}
	return k
}

func storedScopes(k auth.Key) string {
	if !k.App.IsZero() {
		return boundScope
	}
	return strings.Join(k.Scopes.Strings(), " ")
}

// parseScopes reads a stored list. A scope that this program does not know,
// stored by a later release, allows nothing.
func parseScopes(s string) team.Scopes {
	scopes := team.Scopes{}
	for _, name := range strings.Fields(s) {
		if known, err := team.ParseScopes([]string{name}); err == nil {
			scopes = append(scopes, known...)
		}
	}
	return scopes
}

// keyColumns go with the tables api_keys k and users u. The app is looked up
// only for the few keys that have one.
const keyColumns = `k.id, k.kind, k.team_id, k.user_id, u.email, k.name, k.last_four, k.scopes, k.created_at, k.last_used_at, k.expires_at,
	k.service_role, k.app_id, CASE WHEN k.app_id = '' THEN '' ELSE
		COALESCE((SELECT a.namespace || '/' || a.name FROM apps a WHERE a.team_id = k.team_id AND a.id = k.app_id), '') END AS app_name`

// keyMembershipColumns go with the same and with memberships m and teams t,
// outer-joined: what a key's owner is in the team, or a service key by itself
// in its own.
const keyMembershipColumns = `COALESCE(t.id, '') AS member_team_id, COALESCE(t.username, '') AS member_team_name,
	CASE WHEN t.id IS NULL THEN '' WHEN k.service_role = '' THEN COALESCE(m.role, '') WHEN t.id = k.team_id THEN k.service_role ELSE '' END AS member_role,
	COALESCE(t.members_may_edit, 0) AS members_may_edit`

const selectKeys = "SELECT " + keyColumns + ", " + keyMembershipColumns + `
	FROM api_keys k
	JOIN users u ON u.id = k.user_id
	JOIN teams t ON t.id = k.team_id
	LEFT JOIN memberships m ON m.team_id = k.team_id AND m.user_id = k.user_id
	WHERE k.team_id = ?`

// ownedKeyRow is a key with what its owner is in its team.
type ownedKeyRow struct {
	keyRow
	membershipRow
}

func (r ownedKeyRow) key() auth.Key {
	k := r.keyRow.key()
	k.Role, k.MembersMayEdit = r.Role, r.MembersMayEdit
	return k
}

// keyQuery is one request's question; the hash is in hex.
type keyQuery struct{ tokenHash, teamName string }

type keyFound struct {
	key        auth.Key
	membership auth.Membership
}

// Key joins others that ask at the same time.
func (s *Auth) Key(ctx context.Context, tokenHash []byte, teamName string) (auth.Key, auth.Membership, error) {
	f, err := found(ctx, s.db.keys, keyQuery{hex.EncodeToString(tokenHash), teamName})
	return f.key, f.membership, err
}

// LastKey implements auth.Store.
func (s *Auth) LastKey(tokenHash []byte) (key auth.Key, m auth.Membership, revision int64, ok bool) {
	f, revision, ok := s.db.keptKeys.last(keyQuery{tokenHash: hex.EncodeToString(tokenHash)})
	return s.db.usedLast(f.key), f.membership, revision, ok
}

// usedLast completes a key with its last use that this instance knows of.
func (d *DB) usedLast(key auth.Key) auth.Key {
	if used, ok := d.keyUses.Get(key.ID); ok && used.After(key.LastUsedAt) {
		key.LastUsedAt = used
	}
	return key
}

// keyStatement finds keys with the membership in the key's own team, or in the
// one that is named.
func keyStatement(q querier) string {
	hash := "unhex(w.token_hash)"
	if q.dialect == postgresDialect {
		hash = "decode(w.token_hash, 'hex')"
	}
	return "SELECT w.n, " + keyColumns + ", " + keyMembershipColumns + `,
		COALESCE((SELECT r.revision FROM team_revisions r WHERE r.team_id = k.team_id), 0) AS revision
		FROM ` + q.wanted("token_hash", "team_name") + `
		CROSS JOIN api_keys k
		CROSS JOIN users u
		LEFT JOIN teams t ON t.id = CASE w.team_name WHEN '' THEN k.team_id ELSE (SELECT id FROM teams WHERE username = w.team_name) END
		LEFT JOIN memberships m ON m.team_id = t.id AND m.user_id = k.user_id
		WHERE k.token_hash = ` + hash + ` AND u.id = k.user_id`
}

// readKeys answers a group of requests, by what was read before where it is
// still so.
func (d *DB) readKeys(ctx context.Context, wanted []keyQuery) ([]answer[keyFound], error) {
	var teams []string
	for _, w := range wanted {
		if team := d.keptKeys.team(w); team != "" {
			teams = append(teams, team)
		}
	}
	q := d.statement()
	revisions, err := q.revisions(ctx, distinct(teams))
	if err != nil {
		return nil, fmt.Errorf("read the revisions of teams: %w", err)
	}
	out := make([]answer[keyFound], len(wanted))
	columns := make([][]string, 2)
	var places []int
	for i, w := range wanted {
		f, ok := d.keptKeys.get(w, revisions)
		if !ok {
			columns[0], columns[1], places = append(columns[0], w.tokenHash), append(columns[1], w.teamName), append(places, i)
			out[i].err = noKey()
			continue
		}
		f.key = d.usedLast(f.key)
		out[i].value = f
	}
	if len(places) == 0 {
		return out, nil
	}
	err = q.each(ctx, keyStatement(q), q.lists(columns), func(scan func(...any) error) error {
		var n, revision int64
		var k ownedKeyRow
		m := &k.membershipRow
		if err := scan(&n, &k.ID, &k.Kind, &k.keyRow.TeamID, &k.UserID, &k.Email, &k.Name, &k.LastFour, &k.Scopes, &k.CreatedAt, &k.LastUsedAt, &k.ExpiresAt,
			&k.Service, &k.AppID, &k.AppName, &m.TeamID, &m.TeamName, &m.Role, &m.MembersMayEdit, &revision); err != nil {
			return err
		}
		i := places[q.place(n)]
		f := keyFound{k.key(), m.membership()}
		out[i] = answer[keyFound]{value: f}
		// A login acts in many teams, and in the named one here.
		if w := wanted[i]; f.key.Kind == team.Key && w.teamName == "" && revision > 0 {
			d.keptKeys.put(w, f.key.TeamID, revision, f, keptKeySize)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}
	return out, nil
}

func (s *Auth) Keys(ctx context.Context, team, user string) ([]auth.Key, error) {
	query, args := selectKeys, []any{team}
	if user != "" {
		query, args = query+" AND k.user_id = ? AND k.service_role = ''", append(args, user)
	}
	var rows []ownedKeyRow
	if err := s.statement().list(ctx, &rows, query+" ORDER BY k.created_at DESC, k.id", args...); err != nil {
		return nil, fmt.Errorf("list API keys: %w", err)
	}
	keys := make([]auth.Key, len(rows))
	for i, r := range rows {
		keys[i] = r.key()
	}
	return keys, nil
}

// touchQuery says that a key was used.
type touchQuery struct {
	team, id             string
	now, before, expires time.Time
}

// TouchKey implements auth.Store. Keys that are touched at the same time share
// one commit: when many runners start at once, each is the first use of a key.
func (s *Auth) TouchKey(ctx context.Context, team, id string, now, before, expires time.Time) error {
	_, err := found(ctx, s.db.touches, touchQuery{team, id, now, before, expires})
	if err == nil {
		s.db.keyUses.Add(id, now)
	}
	return err
}

// touchKeys writes a group of uses. SQLite keeps the order of a CROSS JOIN,
// where it could otherwise visit all keys.
func (d *DB) touchKeys(ctx context.Context, used []touchQuery) ([]answer[struct{}], error) {
	columns := make([][]string, 5)
	for _, u := range used {
		for c, text := range []string{u.team, u.id, texted(u.now), texted(u.before), texted(u.expires)} {
			columns[c] = append(columns[c], text)
		}
	}
	err := d.record(ctx, func(q querier) error {
		_, err := q.exec(ctx, `WITH used AS (
				SELECT k.id, MAX(CAST(w.now AS BIGINT)) AS now, MAX(CAST(w.expires AS BIGINT)) AS expires
				FROM `+q.wanted("team_id", "id", "now", "before", "expires")+`
				CROSS JOIN api_keys k
				WHERE k.team_id = w.team_id AND k.id = w.id AND k.last_used_at <= CAST(w.before AS BIGINT)
				GROUP BY k.id
			)
			UPDATE api_keys SET last_used_at = used.now, expires_at = CASE used.expires WHEN 0 THEN api_keys.expires_at ELSE used.expires END
			FROM used WHERE api_keys.id = used.id`, q.lists(columns)...)
		return err
	})
	return make([]answer[struct{}], len(used)), err
}

func texted(t time.Time) string { return strconv.FormatInt(micros(t), 10) }

func (t authTx) InsertKey(ctx context.Context, k auth.Key, tokenHash []byte) error {
	_, err := t.q.exec(ctx, `INSERT INTO api_keys
		(id, kind, team_id, user_id, name, token_hash, last_four, scopes, created_at, last_used_at, expires_at, service_role, app_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k.ID, string(k.Kind), k.TeamID, k.UserID, k.Name, tokenHash, k.LastFour, storedScopes(k),
		micros(k.CreatedAt), micros(k.LastUsedAt), micros(k.ExpiresAt), string(k.Service), k.App.ID)
	return err
}

func (t authTx) TeamKey(ctx context.Context, team, id string) (auth.Key, error) {
	var r ownedKeyRow
	err := t.q.get(ctx, &r, selectKeys+" AND k.id = ?", team, id)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.Key{}, noKey()
	}
	return r.key(), err
}

func (t authTx) CountKeys(ctx context.Context, team, user string) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT count(*) FROM api_keys WHERE team_id = ? AND user_id = ? AND kind = 'key' AND service_role = ''", team, user)
	return n, err
}

func (t authTx) CountServiceKeys(ctx context.Context, team string) (n int, err error) {
	err = t.q.get(ctx, &n, "SELECT count(*) FROM api_keys WHERE team_id = ? AND service_role <> ''", team)
	return n, err
}

func (t authTx) AppID(ctx context.Context, team, namespace, name string) (id string, err error) {
	err = t.q.get(ctx, &id, "SELECT id FROM apps WHERE team_id = ? AND namespace = ? AND name = ?", team, namespace, name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", problem.New(problem.NotFound, "Not found: the team has no such app.")
	}
	return id, err
}

func (t authTx) SetService(ctx context.Context, teamID, id string, role team.Role) error {
	_, err := t.q.exec(ctx, "UPDATE api_keys SET service_role = ? WHERE team_id = ? AND id = ?", string(role), teamID, id)
	return err
}

func (t authTx) DeleteKey(ctx context.Context, team, id string, now time.Time) (bool, error) {
	if err := rememberRevoked(ctx, t.q, now, "team_id = ? AND id = ?", team, id); err != nil {
		return false, err
	}
	n, err := t.q.exec(ctx, "DELETE FROM api_keys WHERE team_id = ? AND id = ?", team, id)
	return n > 0, err
}

func (t authTx) DeleteLogin(ctx context.Context, user, id string) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM api_keys WHERE user_id = ? AND kind = 'login' AND id = ?", user, id)
	return n > 0, err
}

func (t authTx) DeleteLogins(ctx context.Context, user string) error {
	_, err := t.q.exec(ctx, "DELETE FROM api_keys WHERE user_id = ? AND kind = 'login'", user)
	return err
}

func (t authTx) KeepLogins(ctx context.Context, user string, keep int) error {
	_, err := t.q.exec(ctx, `DELETE FROM api_keys WHERE user_id = ? AND kind = 'login' AND id NOT IN
		(SELECT id FROM api_keys WHERE user_id = ? AND kind = 'login' ORDER BY last_used_at DESC, created_at DESC, id LIMIT ?)`, user, user, keep)
	return err
}

func noKey() error {
	return problem.New(problem.NotFound, "Not found: the team has no such API key. It may have been revoked already.")
}

package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"infsh/auth"
	"infsh/problem"
)

type deviceRow struct {
	DeviceHash []byte `db:"device_hash"`
	UserCode   string `db:"user_code"`
	ClientName string `db:"client_name"`
	RemoteAddr string `db:"remote_addr"`
	Network    string `db:"network"`
	State      string `db:"state"`
	UserID     string `db:"user_id"`
	TeamID     string `db:"team_id"`
	CreatedAt  int64  `db:"created_at"`
	PolledAt   int64  `db:"polled_at"`
	ExpiresAt  int64  `db:"expires_at"`
}

func (r deviceRow) record() auth.DeviceRecord {
	return auth.DeviceRecord{
		DeviceHash: r.DeviceHash, UserCode: auth.UserCode(r.UserCode), ClientName: r.ClientName, RemoteAddr: r.RemoteAddr, Network: r.Network,
		State: auth.DeviceState(r.State), UserID: r.UserID, TeamID: r.TeamID,
		CreatedAt: fromMicros(r.CreatedAt), PolledAt: fromMicros(r.PolledAt), ExpiresAt: fromMicros(r.ExpiresAt),
	}
}

func (s *Auth) HasDevice(ctx context.Context, deviceHash []byte) (bool, error) {
	var n int
	err := s.statement().get(ctx, &n, "SELECT count(*) FROM device_logins WHERE device_hash = ?", deviceHash)
	return n > 0, err
}

const selectDevices = `SELECT device_hash, user_code, client_name, remote_addr, network, state, user_id, team_id, created_at, polled_at, expires_at
	FROM device_logins`

func (t authTx) device(ctx context.Context, where string, args ...any) (auth.DeviceRecord, error) {
	var r deviceRow
	err := t.q.get(ctx, &r, selectDevices+where, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.DeviceRecord{}, problem.New(problem.NotFound, "Not found: no login waits with this code. Compare it with what the command line shows; after ten minutes, start anew with `infsh login`.")
	}
	return r.record(), err
}

func (t authTx) InsertDevice(ctx context.Context, d auth.DeviceRecord) error {
	_, err := t.q.exec(ctx, `INSERT INTO device_logins
		(device_hash, user_code, client_name, remote_addr, network, state, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		d.DeviceHash, string(d.UserCode), d.ClientName, d.RemoteAddr, d.Network, string(d.State), micros(d.CreatedAt), micros(d.ExpiresAt))
	return err
}

func (t authTx) CountDevices(ctx context.Context, network string, now time.Time) (ofNetwork, all int, err error) {
	var row struct {
		OfNetwork int `db:"of_network"`
		All       int `db:"everybody"`
	}
	err = t.q.get(ctx, &row, `SELECT COALESCE(SUM(CASE WHEN network = ? THEN 1 ELSE 0 END), 0) AS of_network, count(*) AS everybody
		FROM device_logins WHERE expires_at > ?`, network, micros(now))
	return row.OfNetwork, row.All, err
}

func (t authTx) DeviceByCode(ctx context.Context, code auth.UserCode, now time.Time) (auth.DeviceRecord, error) {
	return t.device(ctx, " WHERE user_code = ? AND state = 'pending' AND expires_at > ?", string(code), micros(now))
}

func (t authTx) DecideDevice(ctx context.Context, code auth.UserCode, state auth.DeviceState, user, team string, now time.Time) (bool, error) {
	n, err := t.q.exec(ctx, `UPDATE device_logins SET state = ?, user_id = ?, team_id = ?
		WHERE user_code = ? AND state = 'pending' AND expires_at > ?`, string(state), user, team, string(code), micros(now))
	return n > 0, err
}

func (t authTx) Device(ctx context.Context, deviceHash []byte) (auth.DeviceRecord, error) {
	return t.device(ctx, " WHERE device_hash = ?"+t.q.forUpdate(), deviceHash)
}

func (t authTx) SetDevicePolled(ctx context.Context, deviceHash []byte, now time.Time) error {
	_, err := t.q.exec(ctx, "UPDATE device_logins SET polled_at = ? WHERE device_hash = ?", micros(now), deviceHash)
	return err
}

func (t authTx) DeleteDevice(ctx context.Context, deviceHash []byte) (bool, error) {
	n, err := t.q.exec(ctx, "DELETE FROM device_logins WHERE device_hash = ?", deviceHash)
	return n > 0, err
}

func (t authTx) DeleteDevicesOf(ctx context.Context, user string) error {
	_, err := t.q.exec(ctx, "DELETE FROM device_logins WHERE user_id = ?", user)
	return err
}

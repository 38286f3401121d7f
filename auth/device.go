package auth

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"infsh/account"
	"infsh/audit"
	"infsh/problem"
	"infsh/redact"
	"infsh/team"
)

const (
	// DeviceLifetime is how long a device login waits for its approval.
	DeviceLifetime = 10 * time.Minute
	// DeviceInterval is how often a device may ask.
	DeviceInterval = 2 * time.Second
	// pollTolerance lets a device's clock run a little fast.
	pollTolerance = 500 * time.Millisecond

	// Pending logins of one network and of all; each lives ten minutes.
	maxDevicesOfNetwork = 10
	maxDevices          = 1000
)

// DeviceState is what was decided on a device login.
type DeviceState string

const (
	DevicePending  DeviceState = "pending"
	DeviceApproved DeviceState = "approved"
	DeviceDenied   DeviceState = "denied"
)

// DeviceRecord is a device login's row.
type DeviceRecord struct {
	DeviceHash []byte
	UserCode   UserCode
	ClientName string
	// RemoteAddr is where it was started; Network, its site, is what is counted.
	RemoteAddr, Network string
	State               DeviceState
	// UserID and TeamID are those of the approval.
	UserID, TeamID                 string
	CreatedAt, PolledAt, ExpiresAt time.Time
}

// DeviceTx is the part of a transaction that is about device logins.
type DeviceTx interface {
	InsertDevice(ctx context.Context, d DeviceRecord) error
	// CountDevices counts logins that have not expired, of a network and of all.
	CountDevices(ctx context.Context, network string, now time.Time) (ofNetwork, all int, err error)
	// DeviceByCode finds a pending login that has not expired;
	// problem.NotFound if there is none.
	DeviceByCode(ctx context.Context, code UserCode, now time.Time) (DeviceRecord, error)
	// DecideDevice stores the decision on a pending login that has not
	// expired, and reports whether there was one: of two decisions one counts.
	DecideDevice(ctx context.Context, code UserCode, state DeviceState, user, team string, now time.Time) (bool, error)
	// Device finds a login by the hash of its device code, and keeps others
	// from using it until the transaction ends; problem.NotFound if there is none.
	Device(ctx context.Context, deviceHash []byte) (DeviceRecord, error)
	SetDevicePolled(ctx context.Context, deviceHash []byte, now time.Time) error
	// DeleteDevice reports whether it was there: of two uses one counts.
	DeleteDevice(ctx context.Context, deviceHash []byte) (bool, error)
	// DeleteDevicesOf removes the logins that a user has approved.
	DeleteDevicesOf(ctx context.Context, user string) error
}

// DeviceStart is what a device is told: the secret that it polls with, and the
// code that it shows.
type DeviceStart struct {
	DeviceCode redact.Value
	// UserCode is as it is shown, BCDF-GHJK.
	UserCode            string
	ExpiresIn, Interval time.Duration
}

// DeviceRequest is a waiting login as the person who confirms it sees it.
type DeviceRequest struct {
	UserCode             string
	ClientName           string
	RemoteAddr           string
	CreatedAt, ExpiresAt time.Time
}

// DeviceLogin is the outcome of an approved login: a credential, shown once.
type DeviceLogin struct {
	Token                redact.Value
	KeyID                string
	UserID, Email        string
	TeamID, TeamUsername string
}

// Devices logs command lines in by way of a browser, after RFC 8628.
type Devices struct {
	store Store
	now   func() time.Time
}

// NewDevices makes a Devices.
func NewDevices(store Store) *Devices {
	return &Devices{store: store, now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }}
}

// Start begins a login. clientName is the device's own word for itself.
//
// Errors: problem.InvalidField (field client_name), problem.RateLimited.
func (d *Devices) Start(ctx context.Context, clientName string, from account.Origin) (DeviceStart, error) {
	name, err := parseKeyName(clientName)
	if err != nil {
		return DeviceStart{}, problem.Invalid("client_name", "%v", err)
	}
	now := d.now()
	deviceCode := randomBase62(randomLength)
	record := DeviceRecord{
		DeviceHash: hashToken(deviceCode), UserCode: newUserCode(), ClientName: name, RemoteAddr: from.RemoteAddr, Network: siteOf(from.RemoteAddr),
		State: DevicePending, CreatedAt: now, ExpiresAt: now.Add(DeviceLifetime),
	}
	err = d.store.Update(ctx, func(tx Tx) error {
		ofNetwork, all, err := tx.CountDevices(ctx, record.Network, now)
		if err != nil {
			return err
		}
		if ofNetwork >= maxDevicesOfNetwork || all >= maxDevices {
			return rateLimited("logins that wait for their confirmation", time.Minute)
		}
		return tx.InsertDevice(ctx, record)
	})
	if err != nil {
		return DeviceStart{}, err
	}
	return DeviceStart{DeviceCode: redact.NewValue(deviceCode), UserCode: record.UserCode.String(), ExpiresIn: DeviceLifetime, Interval: DeviceInterval}, nil
}

// Find returns the waiting login of a code, for a person in a browser to
// compare with what the device shows.
//
// Errors: problem.NotFound for a code that is wrong, used or expired,
// problem.RateLimited after many of those, and those of audit.Guard.
func (d *Devices) Find(ctx context.Context, actor team.Actor, userCode string) (DeviceRequest, error) {
	var out DeviceRequest
	err := d.byCode(ctx, actor, userCode, func(_ Tx, record DeviceRecord) error {
		out = DeviceRequest{
			UserCode: record.UserCode.String(), ClientName: record.ClientName, RemoteAddr: record.RemoteAddr,
			CreatedAt: record.CreatedAt, ExpiresAt: record.ExpiresAt,
		}
		return nil
	})
	return out, err
}

// Approve lets the device have a credential of the actor's user, which starts
// in the actor's team. Only a person in a browser can.
//
// Errors: as Find.
func (d *Devices) Approve(ctx context.Context, actor team.Actor, userCode string) error {
	return d.ApproveIn(ctx, actor, actor.TeamID(), userCode)
}

// ApproveIn does so for another team of the actor's user.
//
// Errors: as Find, and problem.InvalidField (field team_id) if the user is not
// in the team.
func (d *Devices) ApproveIn(ctx context.Context, actor team.Actor, teamID, userCode string) error {
	return d.decide(ctx, actor, teamID, userCode, DeviceApproved, audit.ActDeviceApprove)
}

// Deny refuses the device.
//
// Errors: as Find.
func (d *Devices) Deny(ctx context.Context, actor team.Actor, userCode string) error {
	return d.decide(ctx, actor, actor.TeamID(), userCode, DeviceDenied, audit.ActDeviceDeny)
}

func (d *Devices) decide(ctx context.Context, actor team.Actor, teamID, userCode string, state DeviceState, act team.Action) error {
	return d.byCode(ctx, actor, userCode, func(tx Tx, record DeviceRecord) error {
		if teamID != actor.TeamID() {
			if err := inTeam(ctx, tx, teamID, actor.UserID()); err != nil {
				return err
			}
		}
		decided, err := tx.DecideDevice(ctx, record.UserCode, state, actor.UserID(), teamID, d.now())
		if err != nil {
			return err
		}
		if !decided {
			return noDevice()
		}
		entry := audit.By(actor, act, record.ClientName, audit.Allowed)
		entry.TeamID = teamID
		return tx.AppendAudit(ctx, entry)
	})
}

// inTeam refuses a team that a form names and its user is not in.
func inTeam(ctx context.Context, tx Tx, teamID, userID string) error {
	var err error = problem.NotFound
	if uuid.Validate(teamID) == nil {
		_, err = tx.Membership(ctx, teamID, userID)
	}
	if errors.Is(err, problem.NotFound) {
		return problem.Invalid("team_id", "you are not in this team")
	}
	return err
}

// byCode runs fn on the pending login of a code. A code that leads nowhere
// counts as a guess.
func (d *Devices) byCode(ctx context.Context, actor team.Actor, userCode string, fn func(Tx, DeviceRecord) error) error {
	if err := audit.Guard(ctx, d.store, actor, team.ChangeSelf, audit.ActDeviceLogin); err != nil {
		return err
	}
	code, err := ParseUserCode(userCode)
	if err != nil {
		return noDevice()
	}
	// A wrong guess must be counted, so its transaction commits.
	var missing error
	err = d.store.Update(ctx, func(tx Tx) error {
		missing = nil
		try, err := admitOne(ctx, tx, d.now(), "wrong codes", deviceRule, "device", actor.UserID())
		if err != nil {
			return err
		}
		record, err := tx.DeviceByCode(ctx, code, d.now())
		if errors.Is(err, problem.NotFound) {
			missing = err
			return nil
		}
		if err != nil {
			return err
		}
		if err := try.release(ctx, tx); err != nil {
			return err
		}
		return fn(tx, record)
	})
	if err != nil {
		return err
	}
	return missing
}

// Poll answers the device that holds the device code. Once approved, it makes
// the credential, and that once only: the code is used up by it.
//
// Errors, of RFC 8628, section 3.5: problem.AuthorizationPending,
// problem.SlowDown, problem.AccessDenied, problem.ExpiredToken (also for a
// code that is unknown or used).
func (d *Devices) Poll(ctx context.Context, deviceCode redact.Value, from account.Origin) (DeviceLogin, error) {
	var out DeviceLogin
	var answer error
	hash := hashToken(deviceCode.Reveal())
	// Anybody may ask, and a guess shall not wait for the one who writes, nor
	// keep others waiting.
	known, err := d.store.HasDevice(ctx, hash)
	if err != nil {
		return DeviceLogin{}, err
	}
	if !known {
		return DeviceLogin{}, expiredDevice()
	}
	err = d.store.Update(ctx, func(tx Tx) error {
		out, answer = DeviceLogin{}, nil
		now := d.now()
		record, err := tx.Device(ctx, hash)
		switch {
		case errors.Is(err, problem.NotFound):
			answer = expiredDevice()
			return nil
		case err != nil:
			return err
		case !now.Before(record.ExpiresAt):
			answer = expiredDevice()
			_, err := tx.DeleteDevice(ctx, hash)
			return err
		case record.State == DeviceDenied:
			answer = problem.New(problem.AccessDenied, "The login was denied in the browser.")
			_, err := tx.DeleteDevice(ctx, hash)
			return err
		case record.State == DeviceApproved:
			out, answer, err = d.finish(ctx, tx, record, from)
			return err
		}
		answer = problem.New(problem.AuthorizationPending, "The login waits for its confirmation in the browser.")
		if now.Sub(record.PolledAt) < DeviceInterval-pollTolerance {
			slow := problem.New(problem.SlowDown, "Asked too often; ask every %d seconds.", int(DeviceInterval.Seconds()))
			slow.RetryAfter = DeviceInterval
			answer = slow
		}
		return tx.SetDevicePolled(ctx, hash, now)
	})
	if err == nil {
		err = answer
	}
	if err != nil {
		return DeviceLogin{}, err
	}
	return out, nil
}

// finish turns an approval into a credential, if its maker still belongs to
// the team. A refusal is an answer and no failure, so that the used code stays
// used.
func (d *Devices) finish(ctx context.Context, tx Tx, record DeviceRecord, from account.Origin) (out DeviceLogin, answer, err error) {
	used, err := tx.DeleteDevice(ctx, record.DeviceHash)
	if err != nil {
		return out, nil, err
	}
	if !used {
		return out, expiredDevice(), nil
	}
	m, err := tx.Membership(ctx, record.TeamID, record.UserID)
	if errors.Is(err, problem.NotFound) {
		return out, problem.New(problem.AccessDenied, "The login was confirmed by somebody who is not in the team any more."), nil
	}
	if err != nil {
		return out, nil, err
	}
	now := d.now()
	token := newToken()
	key := Key{
		ID: uuid.NewString(), TeamID: m.TeamID, UserID: record.UserID, Kind: team.Login, Name: record.ClientName, LastFour: token.lastFour(),
		Scopes: team.EveryScope(), CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(LoginIdle),
	}
	if err := tx.InsertKey(ctx, key, token.hash()); err != nil {
		return out, nil, err
	}
	if err := tx.KeepLogins(ctx, key.UserID, maxLogins); err != nil {
		return out, nil, err
	}
	stored, err := tx.TeamKey(ctx, key.TeamID, key.ID)
	if err != nil {
		return out, nil, err
	}
	actor := newActor(m, team.Identity{
		Kind: team.Login, UserID: key.UserID, Email: stored.Email, CredentialID: key.ID, CredentialName: key.Name,
		RemoteAddr: from.RemoteAddr, RequestID: from.RequestID,
	})
	if err := tx.AppendAudit(ctx, audit.By(actor, audit.ActDeviceLogin, record.ClientName, audit.Allowed)); err != nil {
		return out, nil, err
	}
	return DeviceLogin{Token: token.Value(), KeyID: key.ID, UserID: key.UserID, Email: stored.Email, TeamID: m.TeamID, TeamUsername: m.TeamName}, nil, nil
}

func noDevice() error {
	return problem.New(problem.NotFound, "Not found: no login waits with this code. Compare it with what the command line shows; after ten minutes, start anew with `infsh login`.")
}

func expiredDevice() error {
	return problem.New(problem.ExpiredToken, "This login has expired or was used. Start anew with `infsh login`.")
}

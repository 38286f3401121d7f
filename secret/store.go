package secret

import (
	"context"
	"time"

	"infsh/audit"
	"infsh/envvar"
	"infsh/integration"
	"infsh/listing"
)

// Record is a secret's row joined with the sealed hint of the version in use,
// or of the newest staged one while there is none.
type Record struct {
	ID          string
	TeamID      string
	Key         envvar.Key
	Description string
	// Version is the one in use, 0 if none is.
	Version int64
	// StagedVersion is the newest one that was never in use, 0 if there is none.
	StagedVersion int64
	Hint          []byte
	CreatedAt     time.Time
	UpdatedAt     time.Time
	CreatedByID   string
	UpdatedByID   string
	UpdatedBy     string
	// ValueAt and ExpiresAt are those of the version that the hint is of.
	Life
}

// KeyState is what a Record says of its versions.
type KeyState struct {
	Key                    envvar.Key
	Version, StagedVersion int64
	ValueAt                time.Time
}

// shown is the version that the hint is of.
func (r Record) shown() int64 {
	if r.Version > 0 {
		return r.Version
	}
	return r.StagedVersion
}

// Sealed is a version's row.
type Sealed struct {
	Number int64
	// Staged is true until the version is used for the first time.
	Staged      bool
	Value       []byte
	Hint        []byte
	CreatedAt   time.Time
	CreatedByID string
	CreatedBy   string
	// ValueAt is when the value was first stored, in this version or the one of
	// which a rollback made it.
	ValueAt   time.Time
	ExpiresAt time.Time
}

// Held is a secret with its version in use.
type Held struct {
	Record
	Sealed Sealed
}

// RunData is all that a run needs of a team's data, as it is at one moment.
type RunData struct {
	App          string // namespace/name
	VersionID    string
	Version      int64 // its number
	Requirements []Requirement
	// WrappedDEK is the team's wrapped keyset.
	WrappedDEK []byte
	// Grants has the grant of each declared key, with no more than its state
	// and its source key.
	Grants Grants
	// Connections are the team's, where the version declares integrations.
	Connections []integration.Held
	// Held has what is injected for each declared key that is granted and set.
	// A Held's Record has no more than its team, key and version.
	Held map[envvar.Key]Held
}

// AppVersion is a registered version of an app with the app's grants.
type AppVersion struct {
	AppID string
	App   string // namespace/name
	ID    string
	// Number counts an app's versions from 1, Digest is the SHA-256 of what
	// this one declares.
	Number    int64
	Digest    string
	CreatedBy string
	CreatedAt time.Time
	// Current tells whether it is the one that runs which name none.
	Current      bool
	Requirements []Requirement
	Grants       Grants
}

// Begun is a run that is about to be recorded.
type Begun struct {
	audit.Entry
	// Decide makes the decision on what was read.
	Decide func(RunData) *Disclosure
	// Revision is what the team's must be; 0 for any.
	Revision int64
	// Fresh asks for no entry where a token of the disclosure is due.
	Fresh bool
}

// Holds reports whether a disclosure is to be neither recorded nor used.
func (b Begun) Holds(d *Disclosure) bool { return b.Fresh && d != nil && len(d.Due(b.At)) > 0 }

// Reader reads one consistent snapshot of a team's data. Each method takes the
// team first, and finds nothing outside it.
type Reader interface {
	// WrappedDEK returns the team's wrapped keyset.
	WrappedDEK(ctx context.Context, team string) ([]byte, error)
	// Records returns all secrets of the team, sorted by key.
	Records(ctx context.Context, team string) ([]Record, error)
	// KeyStates returns no more of them than in which version they are, in any order.
	KeyStates(ctx context.Context, team string) ([]KeyState, error)
	// RecordPage returns one page of them. The fields of the query are columns.
	RecordPage(ctx context.Context, team string, q listing.Query) (listing.Page[Record], error)
	// Expected returns the keys that the team means to have and that are not
	// set, sorted.
	Expected(ctx context.Context, team string) ([]Expected, error)
	// Keys returns the keys of all secrets of the team, sorted.
	Keys(ctx context.Context, team string) ([]envvar.Key, error)
	// KeysAnyCase returns the keys of the team that are one of the given in any
	// case.
	KeysAnyCase(ctx context.Context, team string, keys []envvar.Key) ([]envvar.Key, error)
	// CountDue counts the secrets that ask for attention at a time.
	CountDue(ctx context.Context, team string, at time.Time) (int, error)
	// KeysInUse returns those of them that have a version in use.
	KeysInUse(ctx context.Context, team string) ([]envvar.Key, error)
	// OnlyStaged returns those of the keys that have no version in use, each
	// with its newest staged one.
	OnlyStaged(ctx context.Context, team string, keys []envvar.Key) (map[envvar.Key]int64, error)
	// Record returns problem.SecretNotFound if there is none.
	Record(ctx context.Context, team string, key envvar.Key) (Record, error)
	// Versions returns the kept versions, the newest first.
	Versions(ctx context.Context, team, secretID string) ([]Sealed, error)
	// Sealed returns problem.NotFound if the version is not kept.
	Sealed(ctx context.Context, team, secretID string, number int64) (Sealed, error)
	// Current returns those of the keys that have a version in use, with that
	// version, in one query.
	Current(ctx context.Context, team string, keys []envvar.Key) ([]Held, error)
	// AppVersion finds an app by namespace and name, in its current version if
	// versionID is empty, which may be its number too; problem.NotFound if there is
	// none in the team.
	AppVersion(ctx context.Context, team, namespace, name, versionID string) (AppVersion, error)
	// DeclaredKeys returns the keys of the team that an app declares in its
	// current version or one that waits for approval, or that are bound to one
	// of those; but for the app of the given namespace/name.
	DeclaredKeys(ctx context.Context, team, exceptApp string) ([]envvar.Key, error)
	// Declaring returns the apps that declare a key, or one that is bound to it,
	// or were granted it: each in its current version, and in the one that waits
	// for approval.
	Declaring(ctx context.Context, team string, key envvar.Key) ([]AppVersion, error)
	// CountUses counts, for each of the keys, the apps that are granted it and
	// declare it in their current version.
	CountUses(ctx context.Context, team string, keys []envvar.Key) (map[envvar.Key]int, error)
	// Deliveries returns those of the key since a time, and the last run of each
	// app's version; the newest first.
	Deliveries(ctx context.Context, team string, key envvar.Key, since time.Time) (Deliveries, error)
	// Declarations returns what the team's apps declare in their current version,
	// or in one that waits for approval.
	Declarations(ctx context.Context, team string) ([]Declaration, error)
	// KeysBefore returns the keys in use of secrets that were made before a time,
	// sorted.
	KeysBefore(ctx context.Context, team string, at time.Time) ([]UnusedKey, error)
	// ReceivedKeys tells which keys runs have received.
	ReceivedKeys(ctx context.Context, team string) (map[envvar.Key]bool, error)
	// Connections returns the team's integrations, with their sealed material.
	Connections(ctx context.Context, team string) ([]integration.Held, error)
	// TeamsHolding tells which teams of the user, but for the named one, have
	// any of the keys in use.
	TeamsHolding(ctx context.Context, user, exceptTeam string, keys []envvar.Key) (map[envvar.Key][]string, error)
}

// Tx is a transaction: all or nothing, with its audit entries.
type Tx interface {
	Reader
	audit.Log
	// LockTeam waits for other writers of the same team, so that versions are
	// dense, and returns the team's wrapped keyset.
	LockTeam(ctx context.Context, team string) (wrappedDEK []byte, err error)
	Insert(ctx context.Context, r Record) error
	// SetCurrent stores the record's description, version, update time and
	// updater. The version is a staged one no more.
	SetCurrent(ctx context.Context, r Record) error
	// LastNumber returns the highest number that a version of the secret has,
	// which is the highest that one ever had.
	LastNumber(ctx context.Context, team, secretID string) (int64, error)
	AddVersion(ctx context.Context, team, secretID string, v Sealed) error
	// FingerprintKey reads the key of the store's fingerprints.
	FingerprintKey(ctx context.Context) (FingerprintKey, error)
	// MakeFingerprintKey stores a new one in the place of the old, sealed by the
	// KEK that is in use, and returns the one that is there then.
	MakeFingerprintKey(ctx context.Context, old []byte, seal func(storeID string, check []byte) ([]byte, error)) (FingerprintKey, error)
	// Fingerprint returns what is stored for a version, nil if nothing is.
	Fingerprint(ctx context.Context, team, secretID string, number int64) ([]byte, error)
	SetFingerprint(ctx context.Context, team, secretID string, number int64, sealed []byte) error
	// Compared tells whether the newest entry of the same act by the same person
	// on the same target names the same versions.
	Compared(ctx context.Context, e audit.Entry) (bool, error)
	// SetReminder stores the record's reminder, and when a version's value ends.
	SetReminder(ctx context.Context, r Record, number int64, expiresAt time.Time) error
	// Prune removes versions with a number up to the given one, but for the
	// one in use.
	Prune(ctx context.Context, team, secretID string, upTo, inUse int64) error
	// DeleteExpected reports whether the team expected the key.
	DeleteExpected(ctx context.Context, team string, key envvar.Key) (bool, error)
	// SetAside removes the secret with all its versions from where anything else
	// looks, and keeps them under the id of a deletion until Store.Erase.
	SetAside(ctx context.Context, team, deletion string, r Record, at time.Time) error
	// Aside returns what a deletion has set aside, sorted by key; nothing if that
	// was put back or erased.
	Aside(ctx context.Context, team, deletion string) ([]Aside, error)
	// PutBack undoes SetAside for all secrets of a deletion. It returns
	// problem.Conflict if a key of them is there again.
	PutBack(ctx context.Context, team, deletion string) error
}

// Store keeps secrets. Update runs fn in a transaction and may run it again
// after a serialization failure, so fn has no effect but through its Tx.
type Store interface {
	audit.Log
	// ForRun reads one snapshot for a run of an app, found by namespace and
	// name, in its current version if versionID is empty; problem.NotFound if
	// there is none in the team.
	ForRun(ctx context.Context, team, namespace, name, versionID string) (RunData, error)
	// RecordRun reads what ForRun reads, in the transaction of an audit entry:
	// the one that Concluded makes of begun and of the disclosure, which is
	// returned and not to be changed. It is durable when RecordRun returns, also
	// with problem.NotFound; after another error it is not certain. There is no
	// entry where the disclosure was wanted only with fresh tokens, and is due.
	//
	// If the begun run's revision is not the team's, it writes nothing and returns
	// ErrMoved.
	RecordRun(ctx context.Context, team, namespace, name, versionID string, begun Begun) (*Disclosure, error)
	// Erase removes what was set aside up to the given time, ciphertexts and all,
	// in every team.
	Erase(ctx context.Context, until time.Time) (secrets int64, err error)
	// ReadRuns brings the table of deliveries up to date.
	ReadRuns(ctx context.Context) error
	View(ctx context.Context, fn func(Reader) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Package backup is the file format of a store's backup: a gzip'd sequence of
// JSON lines that is independent of the database kind. docs/format.md, section
// "Backup file", describes it. What rows mean, and which tables there are, is
// for the caller to know.
//
// A file is proved before it is used: Verify reads all of it, and finds each
// truncation and each changed byte by the digest in the last line. The KEK
// seals that digest, so that a file that someone else made or altered is
// refused too, whatever digest it carries.
package backup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// Format names the file in its first line.
	Format = "infsh-backup"
	// FormatVersion is the version that Writer writes, and the newest that
	// Reader reads.
	FormatVersion = 1
	// MaxLine is the longest line in bytes. It bounds the memory of a reader,
	// and is far above the largest row: a value of 64 KiB takes 88 KiB.
	MaxLine = 8 << 20
	// MaxTables bounds what a reader counts.
	MaxTables = 1000
)

var (
	// ErrNotABackup says that the file is something else.
	ErrNotABackup = errors.New("this is not a backup made by infsh")
	// ErrTooNew says that a newer program made the file.
	ErrTooNew = errors.New("this backup was made by a newer version of infsh: restore it with that version or a later one")
	// ErrDamaged says that the file was cut off, or changed since it was made.
	ErrDamaged = errors.New("this backup is damaged: it was cut off, or changed after it was made")
)

// Header is the first line.
type Header struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	// Program is the version of infsh that made the file.
	Program string `json:"program"`
	// Schema is the version of the database schema that the rows have.
	Schema int64 `json:"schema"`
	// Store is the identity of the store, which tells the KEK that it needs.
	Store Store `json:"store"`
}

// Store is the identity of the store that was backed up. The KEK itself is
// never in the file.
type Store struct {
	ID       string `json:"id"`
	KEKID    string `json:"kek_id"`
	KEKCheck []byte `json:"kek_check"`
	// While one KEK replaces another, a store needs both.
	OldKEKID    string `json:"old_kek_id,omitempty"`
	OldKEKCheck []byte `json:"old_kek_check,omitempty"`
}

// Type is what a column holds. Any column may hold null as well.
type Type string

// The types of columns.
const (
	Text    Type = "text"    // a JSON string; {"base64": …} where it isn't UTF-8
	Integer Type = "integer" // a JSON number, a signed 64-bit integer
	Bytes   Type = "bytes"   // base64 in a JSON string
)

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Table begins the rows of a table, which are arrays with a value for each
// column.
type Table struct {
	Name    string   `json:"table"`
	Columns []Column `json:"columns"`
}

// trailer is the last line.
type trailer struct {
	End end `json:"end"`
}

type end struct {
	Rows   Counts `json:"rows"`
	SHA256 []byte `json:"sha256"`
	Seal   []byte `json:"seal"`
}

// Counts are numbers of rows by table.
type Counts map[string]int64

// String lists the counts by name, "apps 2, users 3", those that are 0 left
// out.
func (c Counts) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if c[name] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", name, c[name]))
		}
	}
	return strings.Join(parts, ", ")
}

// Sealer is the KEK of the store that is backed up.
type Sealer interface {
	// VerifyCheck returns an error unless the KEK belongs to the store.
	VerifyCheck(storeID string, check []byte) error
	// SealBackup seals the digest of a backup of the store.
	SealBackup(storeID string, digest []byte) ([]byte, error)
}

// Opener is the KEK with which a backup is restored.
type Opener interface {
	VerifyCheck(storeID string, check []byte) error
	// VerifyBackup returns an error unless the seal is of this digest, and of
	// a backup of this store.
	VerifyBackup(storeID string, digest, seal []byte) error
}

package envelope

import "errors"

var (
	// ErrKEKMissing says that the file or the environment variable that should
	// hold the KEK does not exist. It is the only KEK error after which making
	// a new key may be right, and only for a store without data.
	ErrKEKMissing = errors.New("the key encryption key is missing")

	// ErrKEKInvalid says that the source of the KEK exists and can't be used:
	// its content is no proper key, or its file is open to others.
	ErrKEKInvalid = errors.New("the key encryption key is not usable")

	// ErrKEKWrong says that a proper KEK does not belong to this store.
	ErrKEKWrong = errors.New("the key encryption key does not belong to this store")

	// ErrKEKUnavailable says that the service which holds the KEK gave no
	// answer or refused to. Nothing is known of the data: the same call may
	// succeed later.
	ErrKEKUnavailable = errors.New("the key encryption key can't be reached")

	// ErrOpen is the one answer for whatever does not authenticate: damaged,
	// truncated, moved, made with another key. It gives no detail on purpose,
	// since a detail would help only the one who forged the record.
	ErrOpen = errors.New("the sealed record does not open: it is damaged, was moved, or was sealed with another key")
)

// KEKError tells which source of a KEK could not be used, and why.
// It unwraps to ErrKEKMissing, ErrKEKInvalid or ErrKEKUnavailable and never
// quotes the content.
type KEKError struct {
	Source  string // "file /path/kek.json", "environment variable NAME" or "Vault at HOST"
	Problem string // a clause that ends with what to do next
	kind    error
}

func (e *KEKError) Error() string { return "key encryption key in " + e.Source + ": " + e.Problem }

// Unwrap makes errors.Is see the sentinel.
func (e *KEKError) Unwrap() error { return e.kind }

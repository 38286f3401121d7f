// Package envelope encrypts a team's records under keys that never lie next
// to them.
//
// A key encryption key (KEK) lives outside the database. It wraps one data
// encryption keyset (DEK) per team; the DEK seals each record with AES-256-GCM
// (NIST SP 800-38D) and associated data that binds purpose, team, key and
// version, so that a record that was moved to another place does not open.
//
// Keysets, key ids and the ciphertext framing are those of Tink
// (github.com/tink-crypto/tink-go). docs/format.md gives every byte, and
// docs/adr/0001-envelope-encryption-with-tink.md says why.
//
// The package knows no team type and no database: it deals in bytes and
// strings. KEK and DEK are safe for concurrent use.
package envelope

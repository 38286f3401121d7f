package envelope

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// maxKEKSource is the most that is read of a KEK's source, in bytes. A keyset
// of one key is about 300.
const maxKEKSource = 64 << 10

// The ends of messages: what to do next. `infsh serve` makes kek.json on its
// first start over an empty store; openssl makes the other form.
const (
	howToMakeMissing = "restore it from its backup, or name the right one with --kek"
	howToMakeFile    = "restore the original file from its backup; only for a store without data, remove the file and let `infsh serve` make a new one"
	howToMakeEnv     = "it must hold the content of a kek.json, or for a new store the output of `openssl rand -base64 32`"
)

var envName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// OpenKEK reads the KEK that uri names:
//
//   - "file:PATH": a Tink cleartext keyset in JSON, in a regular file that is
//     not a symbolic link, has a mode no wider than 0600, and belongs to the
//     user of this process or to root;
//   - "env:NAME": the same JSON, or the base64 form (standard or URL-safe,
//     padded or not) of exactly 32 random bytes, in an environment variable,
//     which lookup (as os.LookupEnv) finds;
//   - "hcvault://HOST/MOUNT/keys/NAME": a key of the transit engine of a
//     HashiCorp Vault or OpenBao; see openVaultKEK.
//
// The keyset's primary key encrypts; its other keys only decrypt. All must be
// AES-256-GCM. Errors are *KEKError, of kind ErrKEKMissing where the file or
// variable does not exist, ErrKEKUnavailable where a service does not answer
// and ErrKEKInvalid otherwise. They name the source and never quote its
// content. There is no default key.
func OpenKEK(uri string, lookup func(string) (string, bool)) (*KEK, error) {
	if path, ok := strings.CutPrefix(uri, "file:"); ok && path != "" {
		return openFileKEK(path)
	}
	if name, ok := strings.CutPrefix(uri, "env:"); ok && envName().MatchString(name) {
		return openEnvKEK(name, lookup)
	}
	if strings.HasPrefix(uri, vaultScheme) || strings.HasPrefix(uri, vaultPlainScheme) {
		return openVaultKEK(uri, lookup)
	}
	// The uri is not quoted: it may be the key itself, given by mistake.
	return nil, &KEKError{"an unknown kind of source", "name it as file:PATH or env:NAME, or as hcvault://HOST/MOUNT/keys/NAME for Vault", ErrKEKInvalid}
}

func openEnvKEK(name string, lookup func(string) (string, bool)) (*KEK, error) {
	source := "environment variable " + name
	value, ok := lookup(name)
	if !ok {
		return nil, &KEKError{source, "the variable is not set; " + howToMakeEnv, ErrKEKMissing}
	}
	value = strings.TrimSpace(value)
	invalid := func(problem string) (*KEK, error) {
		return nil, &KEKError{source, problem + "; " + howToMakeEnv, ErrKEKInvalid}
	}
	switch {
	case value == "":
		return invalid("the variable is empty")
	case len(value) > maxKEKSource:
		return invalid(fmt.Sprintf("the variable holds more than %d bytes", maxKEKSource))
	case strings.HasPrefix(value, "{"):
		kek, err := parseKEK([]byte(value))
		if err != nil {
			return invalid("the variable holds " + err.Error())
		}
		return kek, nil
	}
	key, err := decodeBase64(value)
	if err != nil {
		return invalid("the variable holds neither a keyset in JSON nor base64")
	}
	defer clear(key)
	if len(key) != keySize {
		return invalid(fmt.Sprintf("the variable holds %d bytes in base64, not %d", len(key), keySize))
	}
	h, err := keysetFromKey(key)
	if err != nil {
		return invalid("the variable holds an unusable key")
	}
	kek, err := admitKEK(h)
	if err != nil {
		return invalid("the variable holds " + err.Error())
	}
	return kek, nil
}

func openFileKEK(path string) (*KEK, error) {
	path = filepath.Clean(path)
	data, err := readPrivateFile(path)
	defer func() { clear(data) }()
	if err != nil {
		return nil, err
	}
	invalid := func(problem string) (*KEK, error) {
		return nil, &KEKError{"file " + path, problem + "; " + howToMakeFile, ErrKEKInvalid}
	}
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return invalid("the file is empty")
	case len(data) > maxKEKSource:
		return invalid(fmt.Sprintf("the file holds more than %d bytes", maxKEKSource))
	}
	kek, err := parseKEK(data)
	if err != nil {
		return invalid("the file holds " + err.Error())
	}
	return kek, nil
}

func parseKEK(data []byte) (*KEK, error) {
	h, err := readCleartext(data)
	if err != nil {
		return nil, err
	}
	return admitKEK(h)
}

func admitKEK(h *keyset.Handle) (*KEK, error) {
	local, err := newLocalKeyset(h)
	if err != nil {
		return nil, err
	}
	if err := checkNotPlaceholder(h); err != nil {
		return nil, err
	}
	return newKEK(local), nil
}

// decodeBase64 accepts both alphabets, with or without padding, and refuses
// line breaks and set bits after the last byte, so that one key has one text.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	enc := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	if len(s)%4 == 0 {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	}
	return enc.Strict().DecodeString(s)
}

// CreateKEKFile makes a new KEK and stores it at path, in JSON, with mode 0600
// whatever the umask. The file and its folder are synced before it returns. It
// never overwrites: where path exists in any form, also as a dangling symbolic
// link, the error is fs.ErrExist.
func CreateKEKFile(path string) (*KEK, error) {
	path = filepath.Clean(path)
	h, err := newKeyset()
	if err != nil {
		return nil, fmt.Errorf("making a key encryption key: %w", err)
	}
	local, err := newLocalKeyset(h)
	if err != nil {
		return nil, fmt.Errorf("making a key encryption key: %w", err)
	}
	var text bytes.Buffer
	defer func() { clear(text.Bytes()) }()
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("making a key encryption key: %w", err)
	}
	text.WriteByte('\n')
	if err := writePrivateFile(path, text.Bytes()); err != nil {
		return nil, fmt.Errorf("storing the key encryption key: %w", err)
	}
	return newKEK(local), nil
}

func writePrivateFile(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// A half-written key would keep the next start from making a whole one.
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	defer func() { err = errors.Join(err, f.Close()) }()
	// A umask can take rights away from the mode that was asked for.
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a new name durable; without it a power cut can lose the key
// and keep the data that it encrypts.
func syncFolder(path string) (err error) {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

func fileError(path string, err error) error {
	source := "file " + path
	if errors.Is(err, fs.ErrNotExist) {
		return &KEKError{source, "the file does not exist; " + howToMakeMissing, ErrKEKMissing}
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return &KEKError{source, "the file can't be read: " + err.Error(), ErrKEKInvalid}
}

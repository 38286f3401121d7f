package cli

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"infsh/api"
	"infsh/manifest"
	"infsh/redact"
)

const (
	// defaultMaxStale and mostStale bound the age of an answer that is used while
	// the server is away.
	defaultMaxStale = 24 * time.Hour
	mostStale       = 30 * 24 * time.Hour
	// clockSkew is how far in the future an answer may seem to be.
	clockSkew = 5 * time.Minute

	cacheSuffix = ".infsh-cache"
	cacheFormat = "infsh offline cache 1"
	cacheSalt   = 32 // bytes at the beginning of the file
	maxCache    = 32 << 20
)

// offlineCache keeps the last answer of one app in a folder, for when the server is
// away. It is encrypted by AES-256-GCM with a key from the credential (HKDF-SHA256,
// RFC 5869, with a random salt), so it is worth nothing without that; what it is an
// answer to is associated data, so it is none to another question.
type offlineCache struct {
	p          *program
	dir        string
	maxStale   time.Duration
	credential redact.Value
	identity   []byte
}

// cached is the plaintext of a file.
type cached struct {
	FetchedAt time.Time       `json:"fetched_at"`
	Answer    json.RawMessage `json:"answer"`
}

// offline opens the cache of a run. The question is server, team, and app with
// version, or the manifest with all that it declares.
func (p *program) offline(s *session, dir string, maxStale time.Duration, app, file string) (*offlineCache, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--offline-cache: %w", err)
	}
	// The list of the folders for a logout has one a line.
	if strings.ContainsAny(dir, "\n\r") {
		return nil, Usage("--offline-cache: the folder's path %s has a line break in it; choose another folder", quote(dir))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--offline-cache: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return nil, err
	}
	question := []string{cacheFormat, s.URL(), s.team, app}
	if app == "" {
		if file == "" {
			file = "."
		}
		m, err := manifest.Load(file)
		if err != nil {
			return nil, err
		}
		m.Path = ""
		declared, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("--offline-cache: %w", err)
		}
		question = append(question, string(declared))
	}
	c := &offlineCache{p: p, dir: dir, maxStale: maxStale, credential: s.credential}
	for _, part := range question {
		c.identity = append(binary.BigEndian.AppendUint64(c.identity, uint64(len(part))), part...)
	}
	return c, nil
}

func (c *offlineCache) path() string {
	sum := sha256.Sum256(c.identity)
	return filepath.Join(c.dir, hex.EncodeToString(sum[:16])+cacheSuffix)
}

func (c *offlineCache) aead(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.credential.Reveal()), salt, cacheFormat, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// keep stores an answer. That it could not is a warning: the run has its values.
func (c *offlineCache) keep(answer api.ResolveResponse) {
	if err := c.store(answer); err != nil {
		c.p.notef("warning: the answer was not kept for when the server is away: %s", inert(err.Error()))
	}
}

func (c *offlineCache) store(answer api.ResolveResponse) error {
	// Before there is a file that a logout would have to find.
	if err := c.p.rememberCache(c.dir); err != nil {
		return err
	}
	values, err := answer.MarshalRevealed()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(cached{FetchedAt: time.Now().UTC(), Answer: values})
	if err != nil {
		return err
	}
	salt := make([]byte, cacheSalt)
	_, _ = rand.Read(salt) // never fails, see crypto/rand
	aead, err := c.aead(salt)
	if err != nil {
		return err
	}
	return writePrivate(c.path(), aead.Seal(salt, nil, plain, c.identity))
}

// instead answers in place of a server that is away. Any other answer of the server
// is final, and a refusal ends what is kept: of the credential, of the app, or
// for what is missing or not granted any more.
func (c *offlineCache) instead(failed error) (api.ResolveResponse, error) {
	var none api.ResolveResponse
	var unreachable *api.UnreachableError
	var answered *api.Error
	switch {
	case errors.As(failed, &unreachable):
	case errors.As(failed, &answered) && answered.Status >= http.StatusInternalServerError:
	case errors.As(failed, &answered) && slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusPreconditionFailed}, answered.Status):
		_ = os.Remove(c.path())
		return none, failed
	default:
		return none, failed
	}
	answer, age, err := c.load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.p.notef("note: no answer was kept for this app in %s.", inert(c.dir))
		return none, failed
	case err != nil:
		c.p.notef("note: the kept answer is not used: %s.", inert(err.Error()))
		return none, failed
	}
	c.p.notef("warning: the server is away, so the command gets the values of %s ago from %s. A secret that was changed or revoked since is still the old one.",
		age.Round(time.Second), inert(c.dir))
	return answer, nil
}

func (c *offlineCache) load() (answer api.ResolveResponse, age time.Duration, err error) {
	info, err := os.Lstat(c.path())
	if err != nil {
		return answer, 0, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxCache {
		return answer, 0, errors.New("it is not a file that this program wrote")
	}
	text, err := os.ReadFile(c.path())
	if err != nil {
		return answer, 0, err
	}
	var content cached
	damaged := errors.New("it is damaged, or was kept under another credential")
	if len(text) < cacheSalt {
		return answer, 0, damaged
	}
	aead, err := c.aead(text[:cacheSalt])
	if err != nil {
		return answer, 0, err
	}
	plain, err := aead.Open(nil, nil, text[cacheSalt:], c.identity)
	if err != nil || json.Unmarshal(plain, &content) != nil || json.Unmarshal(content.Answer, &answer) != nil {
		return api.ResolveResponse{}, 0, damaged
	}
	age = time.Since(content.FetchedAt)
	if age > c.maxStale {
		return api.ResolveResponse{}, 0, fmt.Errorf("it is %s old, and --max-stale allows %s", age.Round(time.Second), c.maxStale)
	}
	if age < -clockSkew {
		return api.ResolveResponse{}, 0, errors.New("it is from the future: is this machine's clock right?")
	}
	return answer, max(age, 0), nil
}

// cacheList is the file that names the folders in which answers were kept.
func (p *program) cacheList() (string, error) {
	file, err := p.credentialFile()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(file.path), "offline-caches"), nil
}

// rememberCache notes a folder for the next logout.
func (p *program) rememberCache(dir string) error {
	path, err := p.cacheList()
	if err != nil {
		return err
	}
	known, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(known)) {
		if strings.TrimSuffix(line, "\n") == dir {
			return nil
		}
	}
	return writePrivate(path, append(known, dir+"\n"...))
}

// forgetCaches deletes all kept answers.
func (p *program) forgetCaches() error {
	path, err := p.cacheList()
	if err != nil {
		return err
	}
	known, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for line := range strings.Lines(string(known)) {
		entries, err := os.ReadDir(strings.TrimSuffix(line, "\n"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), cacheSuffix) {
				failed = append(failed, os.Remove(filepath.Join(strings.TrimSuffix(line, "\n"), entry.Name())))
			}
		}
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("deleting the answers that were kept for when the server is away: %w", err)
	}
	return os.Remove(path)
}

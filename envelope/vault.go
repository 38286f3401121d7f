package envelope

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/tink-crypto/tink-go-hcvault/v2/integration/hcvault"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	vaultScheme = "hcvault://"
	// vaultPlainScheme is Vault without TLS, as a local agent or `vault server
	// -dev` offers it. It is admitted for loopback addresses alone.
	vaultPlainScheme = "hcvault+http://"
	// vaultTimeout bounds one try. A team's keyset is opened once and then
	// cached, so a slow Vault delays few requests, and none for longer than
	// two tries.
	vaultTimeout = 3 * time.Second
)

const notTransit = "its answer is not that of a transit engine; check the address and the path"

// howToVault ends messages about a Vault that does not do its part.
const howToVault = "check its address, that it is unsealed, and that VAULT_TOKEN or VAULT_TOKEN_FILE holds a token which may update MOUNT/encrypt/NAME and MOUNT/decrypt/NAME"

var (
	vaultPath = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+/keys/[A-Za-z0-9_-][A-Za-z0-9._-]*$`)
	})
	vaultCiphertext = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^vault:v([1-9][0-9]*):`) })
)

// vaultKey is a key of the transit engine. What it encrypts begins with
// "vault:vN:", where N is the version of the key in Vault.
type vaultKey struct {
	where   string // host, mount and name, as in an ID
	host    string
	client  *api.Client
	remote  tink.AEAD
	token   func() (string, error)
	current string
}

// openVaultKEK connects to a transit key, "hcvault://HOST[:PORT]/MOUNT/keys/NAME",
// over https; the port is 8200 unless given. The token comes from VAULT_TOKEN,
// or from the private file that VAULT_TOKEN_FILE names, which is read again for
// each call, so that an agent can renew it. Of Vault's own variables
// VAULT_CACERT, VAULT_CAPATH, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY,
// VAULT_TLS_SERVER_NAME and VAULT_NAMESPACE count; VAULT_SKIP_VERIFY is refused.
//
// Associated data is what keeps one team's keyset from opening as another's.
// Vault before 1.13 ignores it without a word, so opening asks Vault to
// decrypt with the wrong one, and refuses a key that does.
func openVaultKEK(uri string, lookup func(string) (string, bool)) (*KEK, error) {
	address, path, err := parseVaultURI(uri)
	if err != nil {
		return nil, err
	}
	v := &vaultKey{host: address.Host, where: "hcvault:" + address.Host + path, token: vaultToken(lookup)}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, v.problem("a VAULT_… variable of the environment can't be used", ErrKEKInvalid)
	}
	if t, ok := config.HttpClient.Transport.(*http.Transport); !ok || t.TLSClientConfig == nil || t.TLSClientConfig.InsecureSkipVerify {
		return nil, v.problem("VAULT_SKIP_VERIFY is set, which would hand the token and the keys to anybody on the way; name the certificate authority with VAULT_CACERT", ErrKEKInvalid)
	}
	config.Address, config.AgentAddress = address.String(), ""
	config.Timeout, config.HttpClient.Timeout = vaultTimeout, vaultTimeout
	config.MaxRetries, config.MinRetryWait, config.MaxRetryWait = 1, 50*time.Millisecond, 200*time.Millisecond
	// A redirect would send the token and a keyset to an address that nobody named.
	config.DisableRedirects = true
	if v.client, err = api.NewClient(config); err != nil {
		return nil, v.problem("a VAULT_… variable of the environment can't be used", ErrKEKInvalid)
	}
	// hcvault's own client sends associated data as "context", which Vault
	// ignores unless the key is derived; NewAEAD sends it as what it is.
	if v.remote, err = hcvault.NewAEAD(path, v.client.Logical()); err != nil {
		return nil, v.problem("the path is not MOUNT/keys/NAME", ErrKEKInvalid)
	}
	if err := v.probe(); err != nil {
		return nil, err
	}
	return newKEK(v), nil
}

func parseVaultURI(uri string) (address *url.URL, path string, err error) {
	invalid := func(problem string) (*url.URL, string, error) {
		return nil, "", &KEKError{"Vault", problem, ErrKEKInvalid}
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !vaultPath().MatchString(u.EscapedPath()) {
		return invalid("name it as hcvault://HOST/MOUNT/keys/NAME, without a token or a query")
	}
	address = &url.URL{Scheme: "https", Host: u.Host}
	if u.Port() == "" {
		address.Host = net.JoinHostPort(u.Hostname(), "8200")
	}
	if strings.HasPrefix(uri, vaultPlainScheme) {
		if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
			return invalid("hcvault+http:// is for a loopback address such as 127.0.0.1 alone; use hcvault://, which is https")
		}
		address.Scheme = "http"
	}
	return address, u.EscapedPath(), nil
}

func vaultToken(lookup func(string) (string, bool)) func() (string, error) {
	return func() (string, error) {
		token, _ := lookup("VAULT_TOKEN")
		if path, ok := lookup("VAULT_TOKEN_FILE"); ok && path != "" && token == "" {
			b, err := readPrivateFile(path)
			if err != nil {
				return "", err
			}
			token = string(b)
		}
		if token = strings.TrimSpace(token); token == "" {
			return "", errors.New("there is no token in VAULT_TOKEN and no VAULT_TOKEN_FILE")
		}
		return token, nil
	}
}

// probe shows that the key encrypts, decrypts, and binds associated data.
func (v *vaultKey) probe() error {
	text, right, wrong := []byte("infsh probe"), []byte("infsh probe a"), []byte("infsh probe b")
	sealed, err := v.Encrypt(text, right)
	if err != nil {
		return err
	}
	v.current = v.idOf(sealed)
	if opened, err := v.Decrypt(sealed, right); err != nil {
		return err
	} else if string(opened) != string(text) {
		return v.problem("it does not decrypt what it encrypted", ErrKEKInvalid)
	}
	switch _, err := v.Decrypt(sealed, wrong); {
	case err == nil:
		return v.problem("it does not bind associated data to what it encrypts, so that one team's key would open as another's; use a key of type aes256-gcm96, and Vault 1.13 or later, or OpenBao", ErrKEKInvalid)
	case errors.Is(err, ErrKEKUnavailable):
		return err
	}
	return nil
}

func (v *vaultKey) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	if err := v.signIn(); err != nil {
		return nil, err
	}
	sealed, err := v.remote.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, v.unavailable(err)
	}
	if !vaultCiphertext().Match(sealed) {
		return nil, v.problem(notTransit, ErrKEKUnavailable)
	}
	return sealed, nil
}

func (v *vaultKey) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if err := v.signIn(); err != nil {
		return nil, err
	}
	plaintext, err := v.remote.Decrypt(ciphertext, associatedData)
	// Vault answers 400 to what does not authenticate, and to a version of the
	// key that is kept no more.
	var answer *api.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusBadRequest {
		return nil, ErrOpen
	}
	if err != nil {
		return nil, v.unavailable(err)
	}
	// hcvault takes an answer without a plaintext, such as that of a proxy on
	// the way, for an empty one. Nothing that a KEK encrypts is empty.
	if len(plaintext) == 0 {
		return nil, v.problem(notTransit, ErrKEKUnavailable)
	}
	return plaintext, nil
}

func (v *vaultKey) signIn() error {
	token, err := v.token()
	if err != nil {
		return v.problem(err.Error(), ErrKEKUnavailable)
	}
	v.client.SetToken(token)
	return nil
}

// unavailable words an error of the connection or of Vault. Of Vault's answer
// it gives the status alone, since the text may quote the request.
func (v *vaultKey) unavailable(err error) error {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		return v.problem(fmt.Sprintf("it answered %d %s; %s", answer.StatusCode, http.StatusText(answer.StatusCode), howToVault), ErrKEKUnavailable)
	}
	reason := "it does not answer"
	var netErr net.Error
	var certErr interface{ Unwrap() error }
	switch {
	case errors.As(err, &netErr) && netErr.Timeout():
		reason = fmt.Sprintf("it does not answer within %s", vaultTimeout)
	case strings.Contains(err.Error(), "certificate") && errors.As(err, &certErr):
		reason = "its certificate is not trusted; name the certificate authority with VAULT_CACERT"
	}
	return v.problem(reason+"; "+howToVault, ErrKEKUnavailable)
}

func (v *vaultKey) problem(text string, kind error) error {
	return &KEKError{"Vault at " + v.host, text, kind}
}

func (v *vaultKey) id() string { return v.current }

func (v *vaultKey) idOf(ciphertext []byte) string {
	m := vaultCiphertext().FindSubmatch(ciphertext)
	if m == nil {
		return v.where
	}
	return v.where + ":v" + string(m[1])
}

func (v *vaultKey) mayDecrypt(ciphertext []byte) bool { return vaultCiphertext().Match(ciphertext) }

package integration

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"infsh/envvar"
)

// network is where a provider's hosts may be.
type network string

const (
	// public is the internet, over https. It is what nothing is said for.
	public network = "public"
	// private may be the operator's own network, over https.
	private network = "private"
	// loopback is this machine, over plain http too.
	loopback network = "loopback"
)

// pattern is what a field's whole text must match.
type pattern struct{ *regexp.Regexp }

// source says what an environment name receives of a connection.
type source string

const (
	sourceToken       source = "access_token"
	sourceCredentials source = "credentials"
	fieldSource              = "field:"
	answerSource             = "answer:"
)

// The file's own form.
type (
	providerFile struct {
		Name         string              `yaml:"name"`
		About        string              `yaml:"about"`
		Docs         string              `yaml:"docs"`
		Network      network             `yaml:"network"`
		Kinds        []kindFile          `yaml:"kinds"`
		Capabilities []capabilityFile    `yaml:"capabilities"`
		Implies      map[string][]string `yaml:"implies"`
	}
	kindFile struct {
		Type           Type              `yaml:"type"`
		Name           string            `yaml:"name"`
		Docs           string            `yaml:"docs"`
		Steps          []string          `yaml:"steps"`
		Named          bool              `yaml:"named"`
		Authorize      string            `yaml:"authorize"`
		Token          string            `yaml:"token"`
		Revoke         string            `yaml:"revoke"`
		Issuer         string            `yaml:"issuer"`
		IssuerRequired bool              `yaml:"issuer_required"`
		ClientAuth     string            `yaml:"client_auth"`
		Params         map[string]string `yaml:"params"`
		Always         []string          `yaml:"always"`
		Scopes         []string          `yaml:"scopes"`
		Separator      string            `yaml:"scope_separator"`
		Lifetime       time.Duration     `yaml:"lifetime"`
		Account        accountFile       `yaml:"account"`
		Fields         []fieldFile       `yaml:"fields"`
		Env            map[string]string `yaml:"env"`
		Federation     federationFile    `yaml:",inline"`
	}
	accountFile struct {
		URL    string `yaml:"url"`
		Scheme string `yaml:"scheme"`
		ID     string `yaml:"id"`
		Name   string `yaml:"name"`
	}
	fieldFile struct {
		Key         string `yaml:"key"`
		Label       string `yaml:"label"`
		Placeholder string `yaml:"placeholder"`
		Default     string `yaml:"default"`
		Pattern     string `yaml:"pattern"`
		Sensitive   bool   `yaml:"sensitive"`
		Long        bool   `yaml:"long"`
		Optional    bool   `yaml:"optional"`
	}
	capabilityFile struct {
		Key    string   `yaml:"key"`
		Words  string   `yaml:"words"`
		Scopes []string `yaml:"scopes"`
		Kinds  []Type   `yaml:"kinds"`
	}
)

// maxCatalogue bounds an operator's file, in bytes.
const maxCatalogue = 1 << 20

// With reads an operator's file, whose providers come beside the ones that are
// there, or in the place of those of the same name. The error names the file,
// the provider and what is wrong.
func (c *Catalogue) With(path string, data []byte) (*Catalogue, error) {
	if len(data) > maxCatalogue {
		return nil, fmt.Errorf("%s: it is larger than %d bytes", path, maxCatalogue)
	}
	added, err := parse(path, data)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(c.byID)
	maps.Copy(all, added.byID)
	return assemble(all), nil
}

func parse(path string, data []byte) (*Catalogue, error) {
	var file map[string]providerFile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: there must be one document in it", path)
	}
	byID := map[string]*Provider{}
	for _, id := range slices.Sorted(maps.Keys(file)) {
		p, err := file[id].provider(id)
		if err != nil {
			return nil, fmt.Errorf("%s: provider %q: %w", path, id, err)
		}
		byID[id] = p
	}
	return assemble(byID), nil
}

func assemble(byID map[string]*Provider) *Catalogue {
	c := &Catalogue{byID: byID, capability: map[string]*Capability{}}
	for _, p := range byID {
		c.providers = append(c.providers, p)
		for _, one := range p.Capabilities {
			c.capability[one.Key] = one
		}
	}
	slices.SortFunc(c.providers, func(a, b *Provider) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return c
}

// Compiled when they are first used: a run of an app has no use of them.
var (
	idPattern    = lazily(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	keyPattern   = lazily(`^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)+$`)
	fieldPattern = lazily(`^[a-z][a-z0-9_]{0,39}$`)
	pathPattern  = lazily(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$`)
	scopePattern = lazily(`^[\x21\x23-\x5b\x5d-\x7e]{1,256}$`)
)

func lazily(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func (f providerFile) provider(id string) (*Provider, error) {
	p := &Provider{ID: id, Name: f.Name, About: f.About, Docs: f.Docs, network: cmp.Or(f.Network, public), implies: f.Implies}
	switch {
	case !idPattern().MatchString(id):
		return nil, errors.New("a provider's id has up to 40 lower-case letters, digits, hyphens and underscores")
	case f.Name == "" || f.About == "":
		return nil, errors.New("name and about are needed")
	case p.network != public && p.network != private && p.network != loopback:
		return nil, fmt.Errorf("network is public, private or loopback, not %q", f.Network)
	case len(f.Kinds) == 0:
		return nil, errors.New("it needs one of kinds at least")
	}
	if f.Docs != "" {
		if err := checkURL(f.Docs, public); err != nil {
			return nil, fmt.Errorf("docs: %w", err)
		}
	}
	for i, kf := range f.Kinds {
		k, err := kf.kind(p.network)
		if err != nil {
			return nil, fmt.Errorf("kinds[%d]: %w", i, err)
		}
		if _, twice := p.Kind(k.Type); twice {
			return nil, fmt.Errorf("kinds[%d]: there are two of the type %s", i, k.Type)
		}
		p.Kinds = append(p.Kinds, k)
	}
	for i, cf := range f.Capabilities {
		if !keyPattern().MatchString(cf.Key) || !strings.HasPrefix(cf.Key, id+".") {
			return nil, fmt.Errorf("capabilities[%d]: its key begins with %q and has lower-case letters, digits, dots, hyphens and underscores", i, id+".")
		}
		if cf.Words == "" {
			return nil, fmt.Errorf("%s: words are needed, which say to a person what it is", cf.Key)
		}
		if slices.ContainsFunc(p.Capabilities, func(c *Capability) bool { return c.Key == cf.Key }) {
			return nil, fmt.Errorf("%s stands there twice", cf.Key)
		}
		for _, t := range cf.Kinds {
			if _, ok := p.Kind(t); !ok {
				return nil, fmt.Errorf("%s: there is no kind %q", cf.Key, t)
			}
		}
		if err := checkScopes(cf.Scopes); err != nil {
			return nil, fmt.Errorf("%s: %w", cf.Key, err)
		}
		p.Capabilities = append(p.Capabilities, &Capability{Provider: p, Key: cf.Key, Words: cf.Words, Scopes: cf.Scopes, types: cf.Kinds})
	}
	for scope, implied := range f.Implies {
		if err := checkScopes(append([]string{scope}, implied...)); err != nil {
			return nil, fmt.Errorf("implies: %w", err)
		}
	}
	return p, nil
}

func (f kindFile) kind(where network) (*Kind, error) {
	k := &Kind{
		Type: f.Type, Name: f.Name, Docs: f.Docs, Steps: f.Steps, named: f.Named, authorize: f.Authorize, token: f.Token, revoke: f.Revoke, issuer: f.Issuer, issuerRequired: f.IssuerRequired,
		clientAuth: cmp.Or(f.ClientAuth, "header"), params: f.Params, always: f.Always, scopes: f.Scopes, separator: cmp.Or(f.Separator, " "), lifetime: f.Lifetime,
		account: account{url: f.Account.URL, scheme: cmp.Or(f.Account.Scheme, "Bearer"), id: f.Account.ID, name: f.Account.Name}, env: map[string]source{},
	}
	need := func(name, value string) error {
		if value == "" {
			return fmt.Errorf("%s is needed for the type %s", name, f.Type)
		}
		return nil
	}
	var err error
	switch f.Type {
	case OAuth:
		err = errors.Join(need("authorize", f.Authorize), need("token", f.Token))
	case ServiceAccount:
		err = need("token", f.Token)
		if !slices.ContainsFunc(f.Fields, func(x fieldFile) bool { return x.Key == serviceAccountField }) {
			err = errors.Join(err, fmt.Errorf("it needs a field with the key %s", serviceAccountField))
		}
	case Federation:
		err = need("token", f.Token)
	case APIKey:
		if len(f.Fields) == 0 {
			err = errors.New("fields are needed, which a person fills in")
		}
	default:
		err = fmt.Errorf("type is %s, %s, %s or %s, not %q", OAuth, APIKey, ServiceAccount, Federation, f.Type)
	}
	if f.Name == "" || len(f.Steps) == 0 {
		err = errors.Join(err, errors.New("name and steps are needed, which say to a person how it is connected"))
	}
	if f.Docs != "" {
		if docsErr := checkURL(f.Docs, public); docsErr != nil {
			err = errors.Join(err, fmt.Errorf("docs: %w", docsErr))
		}
	}
	if k.clientAuth != "header" && k.clientAuth != "body" {
		err = errors.Join(err, errors.New("client_auth is header or body"))
	}
	for _, u := range []struct{ name, url string }{{"authorize", f.Authorize}, {"token", f.Token}, {"revoke", f.Revoke}, {"account.url", f.Account.URL}} {
		if u.url == "" {
			continue
		}
		if wrong := checkURL(u.url, where); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", u.name, wrong))
		}
	}
	for _, path := range []string{f.Account.ID, f.Account.Name} {
		if path != "" && !pathPattern().MatchString(path) {
			err = errors.Join(err, errors.New("account.id and account.name are names of an answer's fields, such as data.id"))
		}
	}
	if f.IssuerRequired && f.Issuer == "" {
		err = errors.Join(err, errors.New("issuer is needed where issuer_required is true"))
	}
	if wrong := checkScopes(slices.Concat(f.Always, f.Scopes)); wrong != nil {
		err = errors.Join(err, wrong)
	}
	for _, ff := range f.Fields {
		field, wrong := ff.field()
		err = errors.Join(err, wrong)
		k.Fields = append(k.Fields, field)
	}
	return k, errors.Join(err, k.federation(f.Federation, where), k.readEnv(f.Env))
}

func (f fieldFile) field() (Field, error) {
	out := Field{Key: f.Key, Label: f.Label, Placeholder: f.Placeholder, Default: f.Default, Sensitive: f.Sensitive, Long: f.Long, Optional: f.Optional}
	if !fieldPattern().MatchString(f.Key) || f.Label == "" {
		return out, errors.New("a field has a key of lower-case letters, digits and underscores, and a label")
	}
	if f.Pattern != "" {
		re, err := regexp.Compile(`^(?:` + f.Pattern + `)$`)
		if err != nil {
			return out, fmt.Errorf("field %s: pattern: %w", f.Key, err)
		}
		out.pattern = &pattern{re}
	}
	return out, nil
}

func (k *Kind) readEnv(env map[string]string) error {
	if len(env) == 0 {
		return errors.New("env is needed: which names an app receives")
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		key, err := envvar.ParseKey(name)
		if err == nil {
			err = key.Permit(false)
		}
		if err != nil {
			return fmt.Errorf("env: %w", err)
		}
		from := source(env[name])
		field, isField := strings.CutPrefix(string(from), fieldSource)
		answer, isAnswer := strings.CutPrefix(string(from), answerSource)
		switch {
		case k.token != "" && (from == sourceToken || from == sourceCredentials):
		case from == serviceAccountField && k.Type == ServiceAccount:
		case isField && slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Key == field }):
		case isAnswer && pathPattern().MatchString(answer) && k.Type == OAuth:
		default:
			return fmt.Errorf("env: %s receives %q, which is not access_token, credentials, service_account_key, field:KEY of a field, or answer:NAME", name, from)
		}
		k.env[name] = from
	}
	return nil
}

func checkScopes(scopes []string) error {
	for _, s := range scopes {
		if !scopePattern().MatchString(s) {
			return fmt.Errorf("%q is no scope", s)
		}
	}
	return nil
}

// checkURL holds what is called to https, and plain http to this machine.
func checkURL(raw string, where network) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is no address", raw)
	}
	if where == loopback {
		a, err := netip.ParseAddr(u.Hostname())
		if err != nil || !a.IsLoopback() || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("%q is not on this machine, such as http://127.0.0.1:9000", raw)
		}
		return nil
	}
	if u.Scheme != "https" {
		return fmt.Errorf("%q must begin with https://", raw)
	}
	return nil
}

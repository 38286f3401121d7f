package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"infsh/handlers"
)

// settings are the server's configuration, validated once. A flag beats its
// environment variable, which beats the default.
type settings struct {
	listen         string
	internalListen string
	dataDir        string
	databaseURL    string
	kek            string
	kekOld         string
	publicURL      *url.URL // nil: from the real address of the listener
	trustedProxies []netip.Prefix
	logLevel       slog.Level
	limits         handlers.RateLimits
	webhookPrivate bool
	issuersPrivate bool
	signOn         signOn
	// integrations is the operator's file of providers; empty for none.
	integrations string
}

// setting is one flag with its environment variable. A secret one may also be
// read from the file that the variable with _FILE names, and is never a flag's
// default, which --help would print.
type setting struct {
	flag, env, fallback, usage string
	secret                     bool
	// noFlag is one that stands in no command line, which others could read.
	noFlag bool
	// isBool may be a flag without a value, which then is true.
	isBool bool
}

var storeSettings = []setting{
	{flag: "data-dir", env: "INFSH_DATA_DIR", fallback: "./infsh-data", usage: "folder of the SQLite file and the key file"},
	{flag: "database-url", env: "INFSH_DATABASE_URL", usage: "postgres://… puts all state in PostgreSQL (default SQLite in the data dir)", secret: true},
	{flag: "kek", env: "INFSH_KEK", usage: "key encryption key: file:PATH, env:NAME or hcvault://HOST/MOUNT/keys/NAME (default file: kek.json in the data dir)"},
	{flag: "kek-old", env: "INFSH_KEK_OLD", usage: "the other key encryption key while one is being replaced; see docs/operations.md"},
}

var serveSettings = slices.Concat([]setting{
	{flag: "listen", env: "INFSH_LISTEN", fallback: "127.0.0.1:8080", usage: "address of the web pages and the JSON API"},
	{flag: "internal-listen", env: "INFSH_INTERNAL_LISTEN", usage: "address of /internal/… and /metrics alone (default on the main one)"},
	{flag: "public-url", env: "INFSH_PUBLIC_URL", usage: "address that people use; https turns on Secure cookies and HSTS (default from --listen)"},
	{flag: "trusted-proxies", env: "INFSH_TRUSTED_PROXIES", usage: "addresses of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,192.0.2.1 (default none)"},
	{flag: "rate-limit-key", env: "INFSH_RATE_LIMIT_KEY", fallback: "2000", usage: "requests a second of one API key or session, 0 for any number"},
	{flag: "rate-limit-resolve", env: "INFSH_RATE_LIMIT_RESOLVE", fallback: "20000", usage: "the same for an API key at the runners' endpoint"},
	{flag: "rate-limit-address", env: "INFSH_RATE_LIMIT_ADDRESS", fallback: "200", usage: "the same for an address without a valid credential"},
	{flag: "webhook-allow-private", env: "INFSH_WEBHOOK_ALLOW_PRIVATE", usage: "true lets webhooks call private and local addresses, and plain http", isBool: true},
	{flag: "issuers-allow-private", env: "INFSH_ISSUERS_ALLOW_PRIVATE", usage: "true lets teams trust issuers of tokens in private networks, and on this machine by plain http", isBool: true},
	{flag: "integrations", env: "INFSH_INTEGRATIONS", usage: "YAML file of providers that come beside those of the program, or replace them; see docs/operations.md"},
	{flag: "log-level", env: "INFSH_LOG_LEVEL", fallback: "info", usage: "debug, info, warn or error"},
}, signOnSettings, storeSettings)

func addSettings(cmd *cobra.Command, list []setting) {
	for _, s := range list {
		if s.noFlag {
			continue
		}
		usage := s.usage
		if s.fallback != "" {
			usage += fmt.Sprintf(" (default %s)", s.fallback)
		}
		cmd.Flags().String(s.flag, "", usage+" [$"+s.env+"]")
		if s.isBool {
			cmd.Flags().Lookup(s.flag).NoOptDefVal = "true"
		}
	}
}

// value finds a setting's value.
func (s setting) value(cmd *cobra.Command) (string, error) {
	if f := cmd.Flags().Lookup(s.flag); f != nil && f.Changed {
		return f.Value.String(), nil
	}
	if v, ok := os.LookupEnv(s.env); ok && v != "" {
		return v, nil
	}
	if path, ok := os.LookupEnv(s.env + "_FILE"); ok && s.secret && path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("%s_FILE: %w", s.env, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	return s.fallback, nil
}

// readSettings reads and checks all settings of a command.
func readSettings(cmd *cobra.Command, list []setting) (settings, error) {
	values := map[string]string{}
	for _, s := range list {
		v, err := s.value(cmd)
		if err != nil {
			return settings{}, err
		}
		values[s.flag] = v
	}
	dataDir, err := filepath.Abs(values["data-dir"])
	if err != nil {
		return settings{}, fmt.Errorf("--data-dir: %w", err)
	}
	out := settings{
		listen: values["listen"], internalListen: values["internal-listen"], dataDir: dataDir,
		databaseURL: values["database-url"], integrations: values["integrations"], kek: values["kek"], kekOld: values["kek-old"],
	}
	if out.kek == "" {
		out.kek = "file:" + filepath.Join(dataDir, "kek.json")
	}
	for flag, into := range map[string]*float64{
		"rate-limit-key": &out.limits.Credential, "rate-limit-resolve": &out.limits.Resolve, "rate-limit-address": &out.limits.Address,
	} {
		if v := values[flag]; v != "" {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil || !(n >= 0 && n <= 1e9) {
				return settings{}, fmt.Errorf("--%s: it must be a number of requests a second, or 0 for no limit", flag)
			}
			*into = n
		}
	}
	if v := values["log-level"]; v != "" {
		if err := out.logLevel.UnmarshalText([]byte(v)); err != nil {
			return settings{}, fmt.Errorf("--log-level: it must be debug, info, warn or error")
		}
	}
	for _, v := range strings.FieldsFunc(values["trusted-proxies"], func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := parsePrefix(v)
		if err != nil {
			return settings{}, fmt.Errorf("--trusted-proxies: %q is neither an address nor a network", v)
		}
		out.trustedProxies = append(out.trustedProxies, prefix)
	}
	if v := values["webhook-allow-private"]; v != "" {
		if out.webhookPrivate, err = strconv.ParseBool(v); err != nil {
			return settings{}, fmt.Errorf("--webhook-allow-private: it must be true or false")
		}
	}
	if v := values["issuers-allow-private"]; v != "" {
		if out.issuersPrivate, err = strconv.ParseBool(v); err != nil {
			return settings{}, fmt.Errorf("--issuers-allow-private: it must be true or false")
		}
	}
	if out.signOn, err = readSignOn(values); err != nil {
		return settings{}, err
	}
	if v := values["public-url"]; v != "" {
		u, err := url.Parse(v)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			return settings{}, fmt.Errorf("--public-url: it must be like https://infsh.example.com, without a path")
		}
		u.Path = ""
		out.publicURL = u
	}
	if v := out.databaseURL; v != "" && !strings.HasPrefix(v, "postgres://") && !strings.HasPrefix(v, "postgresql://") {
		// The URL may hold a password, so it is not repeated.
		return settings{}, fmt.Errorf("--database-url: it must begin with postgres://")
	}
	return out, nil
}

// parsePrefix reads a network, or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// urlOf is the address under which a listener is reached from this machine.
func urlOf(addr net.Addr) *url.URL {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return &url.URL{Scheme: "http", Host: addr.String()}
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
}

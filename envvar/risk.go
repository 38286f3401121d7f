package envvar

import (
	"fmt"
	"path"
	"strings"
)

// Risk is how far a name may change what a process does before its own code
// reads the environment.
type Risk int

const (
	// Ordinary names mean something only to the program that reads them.
	Ordinary Risk = iota
	// Risky names redirect traffic or trust. They have legitimate uses, so
	// they need an explicit acknowledgement, which is audited.
	Risky
	// Refused names load code, replace programs, or belong to infsh itself.
	Refused
)

func (r Risk) String() string {
	switch r {
	case Risky:
		return "risky"
	case Refused:
		return "refused"
	default:
		return "ordinary"
	}
}

// rule is one row of the name policy. A pattern is a name in which * stands
// for any run of characters, also an empty one.
type rule struct {
	why      string // completes the sentence "NAME …"
	anyCase  bool   // match whatever the case; else exactly as written
	patterns []string
}

// refused names make loaders, shells, interpreters and helper programs run
// code, or find files, of the setter's choice. Such a list can't be complete,
// which is why an app receives only what it declares.
var refused = []rule{
	{"belongs to infsh itself", true, []string{"INFSH_*"}},
	{"tells the dynamic loader or the C library what code to load", false, []string{
		"LD_*", "DYLD_*", "GLIBC_TUNABLES", "GCONV_PATH",
	}},
	{"decides where programs, their start-up files and their temporary files are found", false, []string{
		"PATH", "HOME", "SHELL", "TMPDIR",
	}},
	{"makes a shell run code or read input differently", false, []string{
		"IFS", "ENV", "BASH_ENV", "BASH_FUNC_*", "SHELLOPTS", "BASHOPTS",
		"PS1", "PS2", "PS3", "PS4", "PROMPT_COMMAND", "ZDOTDIR",
	}},
	{"makes an interpreter load or run other code", false, []string{
		"PYTHON*", "NODE_OPTIONS", "NODE_PATH",
		"PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "RUBYOPT", "RUBYLIB",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS",
		"LUA_INIT*", "PHPRC", "PHP_INI_SCAN_DIR",
	}},
	{"makes git or ssh run another program", false, []string{
		"GIT_SSH*", "GIT_EXEC_PATH", "GIT_CONFIG*", "GIT_EXTERNAL_DIFF", "GIT_*EDITOR",
		"GIT_PAGER", "GIT_TEMPLATE_DIR", "GIT_ASKPASS", "GIT_PROXY_COMMAND", "SSH_ASKPASS",
	}},
	{"names a program that others start", false, []string{
		"EDITOR", "VISUAL", "PAGER", "BROWSER", "MANPAGER", "LESSOPEN", "LESSCLOSE",
	}},
	{"makes curl or OpenSSL read another configuration or load a module", false, []string{
		"CURL_HOME", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
	}},
}

// risky names send a program's traffic, trust or configuration elsewhere.
var risky = []rule{
	{"sends a program's network traffic through another host", true, []string{"*_PROXY"}},
	{"changes which certificates a program trusts", false, []string{
		"SSL_CERT_*", "*_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED",
	}},
	{"sends a program's requests, and the keys in them, to another address", false, []string{
		"*_BASE_URL", "*_ENDPOINT*",
	}},
	{"changes where a package manager gets code from", true, []string{"npm_config_*"}},
	{"changes where a package manager gets code from, or how it builds it", false, []string{
		"PIP_*", "GOPROXY", "GOFLAGS",
	}},
	{"points a tool at another server, configuration or set of credentials", false, []string{
		"DOCKER_HOST", "KUBECONFIG", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "XDG_*",
	}},
	{"describes the system, and programs rely on it", false, []string{
		"LC_*", "TERM", "USER", "HOSTNAME",
	}},
}

// match reports why the first rule that covers k does.
func match(rules []rule, k Key) (why string, ok bool) {
	name := string(k)
	for _, r := range rules {
		for _, pattern := range r.patterns {
			if covers(pattern, name, r.anyCase) {
				return r.why, true
			}
		}
	}
	return "", false
}

// covers reports whether name is as a pattern says. Each run of an app asks it
// of each of its keys, so what is plainly different is not matched as a pattern.
func covers(pattern, name string, anyCase bool) bool {
	if anyCase {
		name, pattern = strings.ToUpper(name), strings.ToUpper(pattern)
	}
	if first := pattern[0]; first != '*' && (name == "" || first != name[0]) {
		return false
	}
	// A name has no slash, so * matches any run of its characters.
	matched, _ := path.Match(pattern, name)
	return matched
}

// Risk classifies the name. Names are matched case-sensitively, as the
// programs that read them do, except for INFSH_*, *_PROXY and npm_config_*,
// which are read in any case.
func (k Key) Risk() Risk {
	if _, ok := match(refused, k); ok {
		return Refused
	}
	if _, ok := match(risky, k); ok {
		return Risky
	}
	return Ordinary
}

// Permit returns nil if a variable of this name may be set: always for
// ordinary names, for risky ones only if allowRisky, never for refused ones.
// It expects a key that ParseKey accepted. A failure is a *NameError whose
// text says why and what to do.
func (k Key) Permit(allowRisky bool) error {
	if why, ok := match(refused, k); ok {
		return &NameError{Key: k, Risk: Refused, Reason: fmt.Sprintf("%s is not allowed: it %s; choose another name", k, why)}
	}
	if allowRisky {
		return nil
	}
	if why, ok := match(risky, k); ok {
		return &NameError{Key: k, Risk: Risky, Reason: fmt.Sprintf(
			"%s needs your confirmation: it %s; if that is what you want, repeat with --allow-risky-name (in the page: tick the box that allows this name)", k, why)}
	}
	return nil
}

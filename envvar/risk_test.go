package envvar

import (
	"errors"
	"path"
	"strings"
	"testing"
)

func TestRisk(t *testing.T) {
	tests := []struct {
		risk  Risk
		names string
	}{
		{Refused, `LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES GLIBC_TUNABLES GCONV_PATH
			PATH HOME SHELL IFS ENV TMPDIR BASH_ENV BASH_FUNC_ls SHELLOPTS BASHOPTS PS1 PS2 PS3 PS4 PROMPT_COMMAND ZDOTDIR
			PYTHONPATH PYTHONSTARTUP PYTHONWARNINGS PYTHONBREAKPOINT PYTHON NODE_OPTIONS NODE_PATH
			PERL5OPT PERL5LIB PERLLIB PERL5DB RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS
			LUA_INIT LUA_INIT_5_4 PHPRC PHP_INI_SCAN_DIR
			GIT_SSH GIT_SSH_COMMAND GIT_EXEC_PATH GIT_CONFIG GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_EXTERNAL_DIFF
			GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER GIT_TEMPLATE_DIR GIT_ASKPASS GIT_PROXY_COMMAND SSH_ASKPASS
			EDITOR VISUAL PAGER BROWSER MANPAGER LESSOPEN LESSCLOSE CURL_HOME OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
			INFSH_API_KEY INFSH_X infsh_token Infsh_Kek INFSH_`},
		{Risky, `HTTP_PROXY https_proxy All_Proxy NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
			NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED OPENAI_BASE_URL AWS_ENDPOINT_URL AZURE_OPENAI_ENDPOINT S3_ENDPOINTS
			npm_config_registry NPM_CONFIG_REGISTRY Npm_Config_X PIP_INDEX_URL GOPROXY GOFLAGS DOCKER_HOST KUBECONFIG
			AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE XDG_CONFIG_HOME LC_ALL TERM USER HOSTNAME`},
		{Ordinary, `OPENAI_API_KEY HF_TOKEN DATABASE_URL GIT_TOKEN GITHUB_TOKEN NODE_ENV PS5 PATHS MY_PATH HOMEPAGE
			INFSHX MY_INFSH_KEY PROXY BASE_URL ENDPOINT USERNAME XDG PIP AWS_ACCESS_KEY_ID path ld_preload openai_base_url`},
	}
	for _, tt := range tests {
		for _, name := range strings.Fields(tt.names) {
			key, err := ParseKey(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := key.Risk(); got != tt.risk {
				t.Errorf("%s is %v; want %v", key, got, tt.risk)
			}
		}
	}
}

func TestPermit(t *testing.T) {
	tests := []struct {
		key        Key
		allowRisky bool
		says       []string // nil: permitted
	}{
		{"OPENAI_API_KEY", false, nil},
		{"LD_PRELOAD", false, []string{"LD_PRELOAD is not allowed", "loader", "choose another name"}},
		{"LD_PRELOAD", true, []string{"LD_PRELOAD is not allowed"}},
		{"infsh_token", true, []string{"belongs to infsh itself"}},
		{"HTTPS_PROXY", true, nil},
		{"HTTPS_PROXY", false, []string{"HTTPS_PROXY needs your confirmation", "another host", "--allow-risky-name", "tick the box"}},
	}
	for _, tt := range tests {
		err := tt.key.Permit(tt.allowRisky)
		if tt.says == nil {
			if err != nil {
				t.Errorf("Permit(%s, %v) = %v; want it permitted", tt.key, tt.allowRisky, err)
			}
			continue
		}
		var nameErr *NameError
		if !errors.As(err, &nameErr) || nameErr.Key != tt.key || nameErr.Risk != tt.key.Risk() {
			t.Errorf("Permit(%s, %v) = %#v; want a *NameError about it", tt.key, tt.allowRisky, err)
			continue
		}
		for _, part := range tt.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Permit(%s, %v) says %q; want it to say %q", tt.key, tt.allowRisky, err, part)
			}
		}
	}
}

func TestEveryPatternOfThePolicyIsWellFormed(t *testing.T) {
	for _, r := range append(append([]rule{}, refused...), risky...) {
		if r.why == "" {
			t.Errorf("the rule for %v gives no reason", r.patterns)
		}
		for _, p := range r.patterns {
			if _, err := path.Match(p, ""); err != nil {
				t.Errorf("pattern %q: %v", p, err)
			}
			if _, err := ParseKey(strings.ReplaceAll(p, "*", "X")); err != nil {
				t.Errorf("pattern %q can match no name: %v", p, err)
			}
		}
	}
}

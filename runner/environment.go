package runner

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"infsh/envvar"
	"infsh/redact"
)

// reserved is the prefix, in any case, of this program's own variables.
const reserved = "INFSH_"

// environment returns the command's: the parent's without our own variables and
// without those that contain the credential, then the secrets, which win.
func environment(c Command) ([]string, error) {
	secrets := make(map[string]redact.Value, len(c.Secrets))
	for _, secret := range c.Secrets {
		if err := permit(secret); err != nil {
			return nil, err
		}
		if _, twice := secrets[folded(secret.Key)]; twice {
			return nil, fmt.Errorf("%s is given twice", secret.Key)
		}
		secrets[folded(secret.Key)] = secret.Value
	}
	if c.Mount != nil {
		if err := permitFiles(c.Secrets); err != nil {
			return nil, err
		}
		for _, secret := range c.Secrets {
			secrets[folded(secret.Key+fileSuffix)] = redact.NewValue(c.Mount.file(secret.Key))
		}
	}

	env := []string{} // not nil, for which exec takes this process's own
	if !c.Pristine {
		env = inherited(c, secrets)
	}
	for _, secret := range c.Secrets {
		if c.Mount != nil {
			env = append(env, secret.Key+fileSuffix+"="+c.Mount.file(secret.Key))
			continue
		}
		env = append(env, secret.Key+"="+secret.Value.Reveal())
	}
	return env, checkSize(c, env)
}

// fileSuffix makes the name of the variable that names a secret's file.
const fileSuffix = "_FILE"

// permitFiles checks the variables that name the files.
func permitFiles(secrets []redact.Needle) error {
	for _, secret := range secrets {
		name := secret.Key + fileSuffix
		for _, other := range secrets {
			if folded(other.Key) == folded(name) {
				return fmt.Errorf("the app declares %s and %s, and with --mount %s would name the file of the first: rename one of them, or run without --mount", secret.Key, other.Key, name)
			}
		}
		// Nobody was asked about this name, as about a secret's own.
		if envvar.Key(name).Permit(false) != nil {
			return fmt.Errorf("%s cannot be mounted: %s would change how the command starts; run without --mount", secret.Key, name)
		}
	}
	return nil
}

// permit checks a secret as it was checked when it was set: the runner does not
// rely on what it is sent.
func permit(secret redact.Needle) error {
	key, err := envvar.ParseKey(secret.Key)
	if err != nil {
		return fmt.Errorf("a secret cannot be put into the environment: %w", err)
	}
	// A risky name was acknowledged, or not, when the secret was set. Where
	// names have no case, one that is refused is so in every spelling.
	for _, spelling := range []envvar.Key{key, envvar.Key(folded(secret.Key))} {
		if err := spelling.Permit(true); err != nil {
			return err
		}
	}
	if strings.ContainsRune(secret.Value.Reveal(), 0) {
		return fmt.Errorf("%s cannot be put into the environment: its value has a NUL character", key)
	}
	return nil
}

func inherited(c Command, secrets map[string]redact.Value) []string {
	own := credentials(c)
	env := make([]string, 0, len(c.Env)+len(secrets))
	for _, entry := range c.Env {
		// Windows has names that begin with "=".
		name, value, isVariable := entry, "", false
		if i := strings.Index(entry[min(1, len(entry)):], "="); i >= 0 {
			name, value, isVariable = entry[:i+1], entry[i+2:], true
		}
		if len(name) >= len(reserved) && strings.EqualFold(name[:len(reserved)], reserved) {
			continue
		}
		if slices.ContainsFunc(c.Withheld, func(w string) bool { return folded(w) == folded(name) }) {
			continue
		}
		if contains(entry, own) {
			if isVariable && !contains(name, own) {
				c.Warn(fmt.Sprintf("%s is not passed on: its value contains the credential of this run", name))
			} else {
				c.Warn("a variable is not passed on: it contains the credential of this run")
			}
			continue
		}
		if secret, clash := secrets[folded(name)]; clash {
			if !secret.Equal(redact.NewValue(value)) {
				c.Warn(fmt.Sprintf("%s is set in your environment as well; the command gets the team's secret", name))
			}
			continue
		}
		env = append(env, entry)
	}
	return env
}

// credentials are the run's own, as they are masked.
func credentials(c Command) []redact.Needle {
	var out []redact.Needle
	for _, v := range append([]redact.Value{c.Credential}, c.Tokens...) {
		out = append(out, redact.Needle{Key: CredentialKey, Value: v})
	}
	return out
}

func contains(text string, own []redact.Needle) bool {
	return slices.ContainsFunc(own, func(n redact.Needle) bool { return n.Value.Len() > 0 && strings.Contains(text, n.Value.Reveal()) })
}

// folded makes names comparable: Windows ignores their case.
func folded(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}

// checkSize refuses what the system would, and says which key to blame. The sizes
// of secrets are not told.
func checkSize(c Command, env []string) error {
	entries := env[len(env)-len(c.Secrets):]
	for i, entry := range entries {
		if len(entry) >= maxEntry {
			return fmt.Errorf("%s is too long for an environment variable: with its name it must stay under %d bytes", c.Secrets[i].Key, maxEntry)
		}
	}
	for _, entry := range env[:len(env)-len(c.Secrets)] {
		if len(entry) >= maxEntry {
			name, _, _ := strings.Cut(entry, "=")
			return fmt.Errorf("%s in your environment is too long: with its name it must stay under %d bytes", name, maxEntry)
		}
	}
	const pointer, terminator = 8, 1
	size := 0
	for _, text := range append(env[:len(env):len(env)], c.Argv...) {
		size += len(text) + terminator + pointer
	}
	for i, arg := range c.Argv {
		if len(arg) >= maxEntry {
			return fmt.Errorf("argument %d is too long: it must stay under %d bytes", i, maxEntry)
		}
	}
	if limit := maxTotal(); size > limit {
		return fmt.Errorf("the arguments and the environment together are too long: this system takes %d bytes; %s", limit, largest(c))
	}
	return nil
}

// largest says what to shorten first.
func largest(c Command) string {
	key, size := "", 0
	for _, secret := range c.Secrets {
		if secret.Value.Len() > size {
			key, size = secret.Key, secret.Value.Len()
		}
	}
	inherited := 0
	if !c.Pristine {
		for _, entry := range c.Env {
			inherited += len(entry)
		}
	}
	switch {
	case key == "":
		return "shorten the arguments or drop variables from your environment"
	case inherited > size:
		return fmt.Sprintf("drop variables from your environment or run without it; the longest secret is %s", key)
	default:
		return fmt.Sprintf("the longest secret is %s: shorten it, or let the app declare fewer", key)
	}
}

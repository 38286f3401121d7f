package cli

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"infsh/envvar"
	"infsh/redact"
	"infsh/runner"
)

// envFormats write an app's values for other programs. The error names a key that
// the format can't hold.
var envFormats = map[string]func(app string, secrets []redact.Needle) (string, error){
	"dotenv": func(_ string, secrets []redact.Needle) (string, error) { return eachLine(secrets, "", dotenvValue) },
	"shell": func(_ string, secrets []redact.Needle) (string, error) {
		return eachLine(secrets, "export ", shellValue)
	},
	"docker": func(_ string, secrets []redact.Needle) (string, error) { return eachLine(secrets, "", dockerValue) },
	"json":   jsonEnv,
	"k8s":    kubernetesSecret,
}

func (p *program) envCommand() *cobra.Command {
	var app, file, format string
	cmd := &cobra.Command{
		Use:   "env [--app NAMESPACE/NAME[@VERSION]] [-f FILE] [--format FORMAT]",
		Short: "Print the secrets that an app declares, for a program that reads a file",
		Long: `Prints the secrets that the app declares, with their values, as "infsh run" would
give them. What leads elsewhere than into a pipe leaves them where it is written:
prefer "infsh run" where it is possible.

Formats: dotenv, which can't hold a backslash at a value's end; shell, for eval; docker, for --env-file, which can't hold line
breaks; json, one object; k8s, the manifest of a Secret, in which base64 hides
nothing.

Without --app, the app is that of app.yaml (or inf.yml) in this folder, or of
FILE, as it is registered.`,
		Example: `  infsh env --format k8s | kubectl apply -f -
  docker run --env-file <(infsh env --format docker) summarizer`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write, ok := envFormats[format]
			if !ok || app != "" && file != "" {
				return &usageError{msg: "--format is one of " + strings.Join(slices.Sorted(maps.Keys(envFormats)), ", ") + "; and --app or --file, not both", command: cmd.CommandPath()}
			}
			if err := runner.Harden(); err != nil {
				return err
			}
			request, err := namedApp(app, file)
			if err != nil {
				return err
			}
			s, err := p.connectFor(cmd.Context(), request)
			if err != nil {
				return err
			}
			resolved, err := s.Resolve(cmd.Context(), request)
			if err != nil {
				return runError(request.App, err)
			}
			secrets := needles(resolved)
			if err := checkNames(secrets); err != nil {
				return err
			}
			text, err := write(resolved.App, secrets)
			if err != nil {
				return err
			}
			if p.terminal.out {
				p.notef("warning: secret values on a terminal stay in its scrollback")
			}
			p.printf("%s", text)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&app, "app", "", "a registered app, and optionally one of its versions, by number or id")
	flags.StringVarP(&file, "file", "f", "", "the app's manifest, or its folder")
	flags.StringVar(&format, "format", "dotenv", "dotenv, shell, docker, json or k8s")
	return cmd
}

// checkNames keeps what is no name, or none that a secret may have, out of a text
// that a shell or a loader acts on: it does not rely on what the server sent.
func checkNames(secrets []redact.Needle) error {
	for _, secret := range secrets {
		key, err := envvar.ParseKey(secret.Key)
		if err == nil {
			err = key.Permit(true)
		}
		if err != nil {
			return fmt.Errorf("a secret cannot be put into an environment: %w", err)
		}
	}
	return nil
}

func eachLine(secrets []redact.Needle, before string, encode func(redact.Needle) (string, error)) (string, error) {
	var b strings.Builder
	for _, secret := range secrets {
		value, err := encode(secret)
		if err != nil {
			return "", err
		}
		b.WriteString(before + secret.Key + "=" + value + "\n")
	}
	return b.String(), nil
}

// dotenvValue uses single quotes where it can: their content is literal in nearly
// every dialect. But several (npm's dotenv, python-dotenv) take a backslash before
// the closing quote for an escape, and lines of the next values for assignments.
func dotenvValue(secret redact.Needle) (string, error) {
	value := secret.Value.Reveal()
	if strings.HasSuffix(value, `\`) {
		return "", fail(ExitFailure, secret.Key+" ends in a backslash, after which some programs don't see the end of the value in a .env file: use another format, or `infsh run`")
	}
	if !strings.ContainsAny(value, "'\r") {
		return "'" + value + "'", nil
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "\n", `\n`, "\r", `\r`).Replace(value) + `"`, nil
}

func shellValue(secret redact.Needle) (string, error) {
	return "'" + strings.ReplaceAll(secret.Value.Reveal(), "'", `'\''`) + "'", nil
}

// dockerValue is the value as it is: Docker knows no quotes there.
func dockerValue(secret redact.Needle) (string, error) {
	if value := secret.Value.Reveal(); !strings.ContainsAny(value, "\r\n") {
		return value, nil
	}
	return "", fail(ExitFailure, secret.Key+" has several lines, which a file for Docker's --env-file can't hold: use another format, or `infsh run`")
}

func jsonEnv(_ string, secrets []redact.Needle) (string, error) {
	env := map[string]string{}
	for _, secret := range secrets {
		env[secret.Key] = secret.Value.Reveal()
	}
	text, err := json.MarshalIndent(env, "", "  ")
	return string(text) + "\n", err
}

// notInName is what the name of a Kubernetes object can't have (RFC 1123, section 2.1).
var notInName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^a-z0-9.-]+`) })

// kubernetesSecret is YAML by being JSON's strings in it.
func kubernetesSecret(app string, secrets []redact.Needle) (string, error) {
	_, name, _ := strings.Cut(app, "/")
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: %q\ntype: Opaque\n", strings.Trim(notInName().ReplaceAllString(name, "-"), ".-"))
	if len(secrets) == 0 {
		return b.String() + "data: {}\n", nil
	}
	b.WriteString("data:\n")
	for _, secret := range secrets {
		fmt.Fprintf(&b, "  %s: %s\n", secret.Key, base64.StdEncoding.EncodeToString([]byte(secret.Value.Reveal())))
	}
	return b.String(), nil
}

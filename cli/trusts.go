package cli

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
)

func (p *program) trustCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Let pipelines and workloads run apps without a stored key",
		Long: `A team trusts an issuer of tokens, such as GitHub Actions, GitLab or a Kubernetes
cluster, under conditions on what its tokens say, for the apps that it names. A run
there exchanges its platform's token for a credential of 15 minutes that runs one of
these apps, and nothing else. docs/workload-identity.md has examples.`,
		Example: `  infsh trust add deploy --app acme/summarizer --github acme/summarizer --branch main
  infsh trust list
  infsh trust delete deploy`,
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	cmd.AddCommand(p.trustListCommand(), p.trustAddCommand(), p.trustDeleteCommand())
	return cmd
}

func (p *program) trustListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the issuers that the team trusts",
		Args:  NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.connect()
			if err != nil {
				return err
			}
			trusts, err := s.Trusts(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return p.json(trusts)
			}
			if len(trusts) == 0 {
				p.notef("This team trusts no issuer of tokens yet. `infsh trust add --help` has examples.")
				return nil
			}
			rows := [][]string{{"NAME", "ISSUER", "CONDITIONS", "APPS", "LAST USED (UTC)", "LAST SUBJECT"}}
			for _, t := range trusts {
				used := "never"
				if t.LastUsedAt != nil {
					used = stamp(*t.LastUsedAt)
				}
				rows = append(rows, []string{t.Name, t.Issuer, conditionWords(t.Conditions), strings.Join(t.Apps, " "), used, cmp.Or(t.LastSubject, "-")})
			}
			p.table(rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// conditionWords writes conditions as --condition takes them.
func conditionWords(all []api.TrustCondition) string {
	var out []string
	for _, c := range all {
		sign := "="
		if c.Type != "" && c.Type != "string" {
			sign = ":="
		}
		out = append(out, c.Claim+sign+strings.Join(c.Values, "|"))
	}
	return strings.Join(out, " ")
}

func (p *program) trustAddCommand() *cobra.Command {
	var (
		in                      api.TrustBody
		gitlab, kubernetes      string
		jwks                    string
		conditions              []string
		github, branch, environ string
		ref                     string
		protected, reuse, once  bool
	)
	cmd := &cobra.Command{
		Use:   "add NAME --app NAMESPACE/NAME (--github REPOSITORY | --gitlab PROJECT | --kubernetes NAMESPACE/ACCOUNT | --issuer URL --condition CLAIM=VALUE)",
		Short: "Trust an issuer of tokens",
		Long: `Trusts an issuer of tokens for the apps that are named. Each condition must be met.
Values are compared exactly, with their case; a value may end with * after a colon or
a slash. A claim that is given more than once may have any of the values.

--condition takes CLAIM=VALUE for a text, and CLAIM:=VALUE for a number, true or
false. CLAIM is the name of a claim, or a JSON pointer: /kubernetes.io/namespace.

Of a repository or project a number may be given instead of the name: a name that
was given up may be taken by somebody else, a number never is.

Each token counts once, except with --kubernetes or --reuse: what Kubernetes projects
into a pod is the same after a container has started again.`,
		Example: `  infsh trust add deploy --app acme/summarizer --github acme/summarizer --branch main
  infsh trust add review --app acme/summarizer --gitlab acme/summarizer --protected
  infsh trust add cluster --app acme/summarizer --kubernetes prod/summarizer --jwks jwks.json \
    --issuer https://kubernetes.default.svc.cluster.local
  infsh trust add ci --app acme/summarizer --issuer https://ci.example.com --condition project=summarizer`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{msg: "what is the trust to be called? Give it one NAME: infsh trust add deploy --app …", command: cmd.CommandPath()}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name, in.Preset = args[0], "other"
			given := 0
			for _, one := range []struct{ preset, value string }{{"github", github}, {"gitlab", gitlab}, {"kubernetes", kubernetes}} {
				if one.value != "" {
					given++
					in.Preset = one.preset
				}
			}
			usage := func(format string, args ...any) error {
				return &usageError{msg: fmt.Sprintf(format, args...), command: cmd.CommandPath()}
			}
			switch {
			case given > 1:
				return usage("--github, --gitlab and --kubernetes name different platforms: give one of them")
			case (branch != "" || environ != "") && github == "":
				return usage("--branch and --environment go with --github")
			case (ref != "" || protected) && gitlab == "":
				return usage("--ref and --protected go with --gitlab")
			case reuse && once:
				return usage("--reuse and --once contradict each other")
			case given == 0 && in.Issuer == "":
				return usage("which issuer? Give --github, --gitlab, --kubernetes with --issuer, or --issuer with --condition")
			case kubernetes != "" && in.Issuer == "":
				return usage("--kubernetes goes with --issuer: kubectl get --raw /.well-known/openid-configuration says it")
			case len(in.Apps) == 0:
				return usage("which app may be run? Name it with --app NAMESPACE/NAME")
			}
			in.Fields = api.TrustFields{Repository: github, Branch: branch, Environment: environ, Project: gitlab, Ref: ref, Protected: protected}
			if kubernetes != "" {
				var ok bool
				if in.Fields.Namespace, in.Fields.ServiceAccount, ok = strings.Cut(kubernetes, "/"); !ok {
					return usage("--kubernetes takes NAMESPACE/ACCOUNT, such as prod/summarizer")
				}
			}
			for _, text := range conditions {
				c, ok := parseCondition(text)
				if !ok {
					return usage("--condition takes CLAIM=VALUE, or CLAIM:=VALUE for a number, true or false")
				}
				in.Conditions = addCondition(in.Conditions, c)
			}
			if reuse || once {
				in.Reuse = &reuse
			}
			if jwks != "" {
				keys, err := os.ReadFile(jwks)
				if err != nil {
					return usage("--jwks: %v", err)
				}
				in.JWKS = string(keys)
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			made, err := s.CreateTrust(cmd.Context(), in)
			if err != nil {
				return err
			}
			p.notef("Tokens of %s may now run %s where %s.", inert(made.Issuer), inert(strings.Join(made.Apps, ", ")), inert(conditionWords(made.Conditions)))
			p.notef("They must be for the audience %s.", inert(made.Audience))
			for _, line := range p.nextSteps(made, in.Apps[0]) {
				p.notef("%s", inert(line))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&in.Apps, "app", nil, "an app that may be run; several times for several")
	f.StringVar(&github, "github", "", "GitHub Actions of this repository, owner/name or its number")
	f.StringVar(&branch, "branch", "", "with --github: on this branch alone")
	f.StringVar(&environ, "environment", "", "with --github: in this environment alone")
	f.StringVar(&gitlab, "gitlab", "", "GitLab jobs of this project, group/name or its number")
	f.StringVar(&ref, "ref", "", "with --gitlab: of this branch alone, or refs/tags/NAME of this tag")
	f.BoolVar(&protected, "protected", false, "with --gitlab: of protected branches and tags alone")
	f.StringVar(&kubernetes, "kubernetes", "", "this service account, namespace/account")
	f.StringVar(&in.Issuer, "issuer", "", "the iss of the tokens, to the letter (default that of GitHub or gitlab.com)")
	f.StringVar(&in.Audience, "audience", "", "whom the tokens are for (default the server's public URL)")
	f.StringVar(&jwks, "jwks", "", "a file with the issuer's public keys, where the server can't ask for them")
	f.StringArrayVar(&conditions, "condition", nil, "CLAIM=VALUE, several times for several")
	f.BoolVar(&reuse, "reuse", false, "a token may be exchanged again until it ends")
	f.BoolVar(&once, "once", false, "each token counts once, with --kubernetes too")
	return cmd
}

// nextSteps say what the platform needs to have for a run by the trust.
func (p *program) nextSteps(made api.Trust, app string) []string {
	lines := []string{"There, set INFSH_URL=" + p.serverURL()}
	switch made.Preset {
	case "github":
		lines = append(lines, "In the workflow: permissions: { id-token: write, contents: read }")
	case "gitlab":
		lines = append(lines, "In the job: id_tokens: { INFSH_ID_TOKEN: { aud: "+made.Audience+" } }")
	case "kubernetes":
		lines = append(lines, "In the pod: a projected serviceAccountToken for that audience, at "+projectedToken)
	default:
		lines = append(lines, "Hand the token over in INFSH_ID_TOKEN, or in the file that INFSH_ID_TOKEN_FILE names.")
	}
	if here, err := api.NormalizeURL(p.serverURL()); err == nil && made.Preset == "github" && made.Audience != here {
		lines = append(lines, "And set INFSH_ID_TOKEN_AUDIENCE="+made.Audience)
	}
	return append(lines, "Then: infsh run --app "+app+" -- COMMAND")
}

func parseCondition(text string) (api.TrustCondition, bool) {
	claim, value, ok := strings.Cut(text, "=")
	c := api.TrustCondition{Claim: claim, Type: "string", Values: []string{value}}
	if typed, isTyped := strings.CutSuffix(claim, ":"); isTyped {
		if c.Claim, c.Type = typed, "number"; value == "true" || value == "false" {
			c.Type = "boolean"
		}
	}
	return c, ok && c.Claim != ""
}

func addCondition(all []api.TrustCondition, c api.TrustCondition) []api.TrustCondition {
	for i := range all {
		if all[i].Claim == c.Claim && all[i].Type == c.Type {
			all[i].Values = append(all[i].Values, c.Values...)
			return all
		}
	}
	return append(all, c)
}

func (p *program) trustDeleteCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Trust an issuer no more",
		Long: `Deletes a trust. The credentials that came of it end at once: runs that wait for
changes are not told of any more, and no further run begins by it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes && !p.terminal.in {
				return Usage("deleting a trust needs --yes, since there is no terminal to ask on")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			trusts, err := s.Trusts(cmd.Context())
			if err != nil {
				return err
			}
			for _, t := range trusts {
				if t.Name != args[0] && t.ID != args[0] {
					continue
				}
				if !yes && !p.confirm("Delete the trust "+inert(t.Name)+"? Runs of "+inert(strings.Join(t.Apps, ", "))+" can't begin by it any more.") {
					return fail(ExitFailure, "The trust was not deleted.")
				}
				if err := s.DeleteTrust(cmd.Context(), t.ID); err != nil {
					return err
				}
				p.notef("Deleted the trust %s.", inert(t.Name))
				return nil
			}
			return fail(ExitNotFound, "Not found: the team trusts nothing under that name; `infsh trust list` shows what it trusts.")
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete without asking")
	return cmd
}

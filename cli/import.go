package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/envvar"
)

// maxImportBytes bounds a file of secrets. The server bounds it too.
const maxImportBytes = 16 << 20

func (p *program) secretsImportCommand() *cobra.Command {
	var dryRun, overwrite, allowRisky bool
	cmd := &cobra.Command{
		Use:   "import FILE.env",
		Short: "Set several secrets from a file of KEY=VALUE lines",
		Long: `Reads a file of KEY=VALUE lines and sets them all, or none if one of them
can't be set. FILE "-" is standard input.

Values are taken literally: $NAME is not expanded. Quotes, "export", comments
and quoted values of several lines are understood. The table says what happens
to each key; values are never shown.`,
		Example: `  infsh secrets import .env --dry-run
  infsh secrets import .env
  infsh secrets import .env --overwrite`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pairs, err := p.readDotenv(args[0])
			if err != nil {
				return err
			}
			if len(pairs) == 0 {
				return fail(ExitFailure, args[0]+" sets nothing: it needs lines such as OPENAI_API_KEY=sk-your-key-here")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			in := api.ImportRequest{Overwrite: overwrite, DryRun: dryRun, AllowRiskyName: allowRisky}
			for _, pair := range pairs {
				in.Items = append(in.Items, api.ImportItem{Key: string(pair.Key), Value: api.NewPlaintext(pair.Value)})
			}
			out, err := s.ImportSecrets(cmd.Context(), in)
			if err != nil {
				return err
			}
			return p.showImport(out, in)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would be done")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "give keys that are set a new version")
	cmd.Flags().BoolVar(&allowRisky, "allow-risky-name", false, "permit names that redirect traffic or trust, such as HTTPS_PROXY")
	return cmd
}

func (p *program) readDotenv(path string) ([]envvar.Pair, error) {
	source := p.In
	name := "standard input"
	if path != "-" {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && strings.Contains(path, "=") {
			// It is not repeated, since a value may stand in it.
			return nil, Usage("there is no such file; a single secret is set by `infsh secrets set KEY`")
		}
		if err != nil {
			return nil, fail(ExitFailure, err.Error())
		}
		defer file.Close()
		source, name = file, path
	}
	limited := &io.LimitedReader{R: source, N: maxImportBytes + 1}
	pairs, err := envvar.ParseDotenv(limited)
	if limited.N <= 0 {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxImportBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return pairs, nil
}

func (p *program) showImport(out api.ImportResponse, in api.ImportRequest) error {
	rows := [][]string{{"KEY", "STATUS", "REASON"}}
	count := map[api.ImportStatus]int{}
	for _, item := range out.Items {
		count[item.Status]++
		rows = append(rows, []string{item.Key, string(item.Status), item.Detail})
	}
	p.table(rows)

	var blocked []string
	if n := count[api.ImportRefused]; n > 0 {
		blocked = append(blocked, fmt.Sprintf("%s refused.", counted(n, "key is", "keys are")))
	}
	if n := count[api.ImportExists]; n > 0 && !in.Overwrite {
		blocked = append(blocked, fmt.Sprintf("%s set already, with another value: --overwrite replaces it.", counted(n, "key is", "keys are")))
	}
	changes := count[api.ImportNew] + count[api.ImportChanged]
	switch {
	case len(blocked) > 0 && in.DryRun:
		return fail(ExitFailure, "Nothing would be written: "+strings.Join(blocked, " "))
	case len(blocked) > 0:
		return fail(ExitFailure, "Nothing was written: "+strings.Join(blocked, " "))
	case in.DryRun:
		p.notef("%s be written. This was a dry run: nothing has changed.", counted(changes, "secret would", "secrets would"))
	case changes > 0 && !out.Written:
		return fail(ExitFailure, "Nothing was written.")
	default:
		p.notef("%s written.", counted(changes, "secret", "secrets"))
	}
	return nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

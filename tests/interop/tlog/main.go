// Verifies checkpoints and proofs with Go's own packages, as its checksum database and its command line do.
//
// Each line of the input is one question in JSON, each line of the output the answer: empty, or what is wrong.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Ask       string
	Note, Key string
	Leaf      []byte
	Leaves    [][]byte
	Path      [][]byte
	Old, New  int64
	OldRoot   []byte
	NewRoot   []byte
}

func hash(raw []byte) (made tlog.Hash, err error) {
	if len(raw) != tlog.HashSize {
		return made, fmt.Errorf("a hash of %d bytes", len(raw))
	}
	copy(made[:], raw)
	return made, nil
}

func hashes(raw [][]byte) ([]tlog.Hash, error) {
	made := make([]tlog.Hash, 0, len(raw))
	for _, one := range raw {
		read, err := hash(one)
		if err != nil {
			return nil, err
		}
		made = append(made, read)
	}
	return made, nil
}

func answer(asked question) error {
	if asked.Ask == "note" {
		verifier, err := note.NewVerifier(asked.Key)
		if err != nil {
			return err
		}
		read, err := note.Open([]byte(asked.Note), note.VerifierList(verifier))
		if err == nil && len(read.Sigs) == 0 {
			err = fmt.Errorf("no signature")
		}
		return err
	}
	path, err := hashes(asked.Path)
	if err != nil {
		return err
	}
	root, err := hash(asked.NewRoot)
	if err != nil {
		return err
	}
	switch asked.Ask {
	case "inclusion":
		return tlog.CheckRecord(path, asked.New, root, asked.Old, tlog.RecordHash(asked.Leaf))
	case "consistency":
		old, err := hash(asked.OldRoot)
		if err != nil {
			return err
		}
		return tlog.CheckTree(path, asked.New, root, asked.Old, old)
	case "root":
		var stored []tlog.Hash
		reader := tlog.HashReaderFunc(func(wanted []int64) ([]tlog.Hash, error) {
			read := make([]tlog.Hash, len(wanted))
			for at, place := range wanted {
				read[at] = stored[place]
			}
			return read, nil
		})
		for index, leaf := range asked.Leaves {
			more, err := tlog.StoredHashes(int64(index), leaf, reader)
			if err != nil {
				return err
			}
			stored = append(stored, more...)
		}
		made, err := tlog.TreeHash(int64(len(asked.Leaves)), reader)
		if err == nil && made != root {
			err = fmt.Errorf("the root is %s", made)
		}
		return err
	}
	return fmt.Errorf("an unknown question")
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var asked question
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			err = answer(asked)
		}
		said := ""
		if err != nil {
			said = err.Error()
		}
		written, _ := json.Marshal(said)
		fmt.Println(string(written))
	}
}

// The line contract for the Go drivers (it is in contract.py): what a record is, and the loop. It is compiled
// into each of them.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
)

type record struct {
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	Timestamp *int64       `json:"timestamp"`
	Key       *string      `json:"key"`
	Value     *string      `json:"value"`
	Headers   [][2]*string `json:"headers"`
}

func decoded(text *string) []byte {
	if text == nil {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		panic(err)
	}
	return data
}

func encoded(data []byte) *string {
	if data == nil {
		return nil
	}
	text := base64.StdEncoding.EncodeToString(data)
	return &text
}

// serve answers requests from standard input until it ends. code finds the protocol's error code in an error.
func serve[R any](operations map[string]func(R) (any, error), code func(error) (int16, bool)) {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		text, err := json.Marshal(answered(line, operations, code))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
	}
}

func answered[R any](
	line []byte, operations map[string]func(R) (any, error), code func(error) (int16, bool),
) map[string]any {
	var named struct {
		Op string `json:"op"`
	}
	var asked R
	err := json.Unmarshal(line, &named)
	if err == nil {
		err = json.Unmarshal(line, &asked)
	}
	if err != nil {
		return map[string]any{"failed": err.Error()}
	}
	does := operations[named.Op]
	if does == nil {
		return map[string]any{"cannot": "has no " + named.Op}
	}
	value, err := does(asked)
	if err == nil {
		return map[string]any{"ok": value}
	}
	if number, is := code(err); is {
		return map[string]any{"refused": map[string]any{"code": number, "message": err.Error()}}
	}
	return map[string]any{"failed": err.Error()}
}

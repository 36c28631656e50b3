"""The payload: record batches (magic 2), their records, codecs and checks.

`batch` sees a batch as a header over bytes and stamps it; `record` reads the records in it,
`survey` judges them without building any; `builder` writes a batch; `validate` is what a leader
asks before it appends; `control` is transaction markers and the like; `legacy` reads the formats
before magic 2; `compress` and `crc` are the tools of all. Who appends and where is `core/log`.
"""

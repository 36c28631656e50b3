module ottla/compat

go 1.26.0

require github.com/IBM/sarama v1.43.3

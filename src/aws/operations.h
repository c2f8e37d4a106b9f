/* operations.h - every operation of AWS that pixmill calls, who calls it, and what that needs in IAM.
 *
 * The roles of deploy/template.yaml are exactly the union of these rows: tests/e2e/test_deploy.py fails when either side has one more.
 * `who`: function (pictures), api (uploads), worker (heavy pictures); operator (a person at a shell, with rights of their own);
 * option (only what a configuration beyond the template asks for: whoever sets it grants it). call.c refuses what is not here.
 *
 * Names differ now and then: HEAD is a GET to IAM, parts of an upload are a PUT, and only who may list is told that a key is missing
 * (others are told that it is forbidden). */
#ifndef PX_AWS_OPERATIONS_H
#define PX_AWS_OPERATIONS_H

/* service      operation                  who                    IAM actions          why */
#define PX_AWS_OPERATIONS(X) \
    X("s3",       "GetObject",               "function worker",     "s3:GetObject",      "the original; the object that is there now, so no s3:GetObjectVersion") \
    X("s3",       "HeadObject",              "function worker",     "s3:GetObject s3:ListBucket", "whose an output is, before it is replaced; 404 rather than 403 for what is missing") \
    X("s3",       "ListObjectsV2",           "function api worker", "s3:ListBucket",     "outputs of before without a table; the API's lists") \
    X("s3",       "PutObject",               "function api worker", "s3:PutObject",      "outputs; the API signs with it") \
    X("s3",       "CreateMultipartUpload",   "function worker",     "s3:PutObject",      "large outputs") \
    X("s3",       "UploadPart",              "function worker",     "s3:PutObject",      "large outputs") \
    X("s3",       "CompleteMultipartUpload", "function worker",     "s3:PutObject",      "large outputs") \
    X("s3",       "AbortMultipartUpload",    "function worker",     "s3:AbortMultipartUpload", "parts of an output that failed are not paid for") \
    X("s3",       "DeleteObject",            "function api worker", "s3:DeleteObject",   "outputs whose original is gone or changed; the API's DELETE") \
    X("dynamodb", "GetItem",                 "function api worker", "dynamodb:GetItem",  "what was done before; a status") \
    X("dynamodb", "PutItem",                 "function worker",     "dynamodb:PutItem",  "the record") \
    X("dynamodb", "UpdateItem",              "function worker",     "dynamodb:UpdateItem", "the claim, and giving it back") \
    X("dynamodb", "Query",                   "operator",            "dynamodb:Query",    "pixmill records --code, from the index of failures") \
    X("dynamodb", "Scan",                    "operator",            "dynamodb:Scan",     "pixmill records") \
    X("sqs",      "SendMessage",             "function worker",     "sqs:SendMessage",   "dead letters; the heavy lane") \
    X("sqs",      "ReceiveMessage",          "worker",              "sqs:ReceiveMessage", "jobs; an operator's replay of dead letters") \
    X("sqs",      "DeleteMessage",           "worker",              "sqs:DeleteMessage", "done") \
    X("sqs",      "ChangeMessageVisibility", "worker",              "sqs:ChangeMessageVisibility", "out of sight while it is worked on; given back") \
    X("sns",      "Publish",                 "option",              "sns:Publish",       "notify: a topic") \
    X("events",   "PutEvents",               "option",              "events:PutEvents",  "notify: a bus") \
    X("ssm",      "GetParameter",            "option",              "ssm:GetParameter",  "PIXMILL_CONFIG=ssm:NAME")

/* What AWS does with a role for its sake.
 * when                 who                    IAM actions          why */
#define PX_AWS_ON_BEHALF(X) \
    X("always",           "function api",        "logs:CreateLogStream logs:PutLogEvents", "Lambda writes what the function prints into its log group") \
    X("always",           "worker-start",        "logs:CreateLogStream logs:PutLogEvents", "ECS likewise") \
    X("always",           "worker-start",        "ecr:GetAuthorizationToken ecr:BatchGetImage ecr:GetDownloadUrlForLayer ecr:BatchCheckLayerAvailability", "ECS fetches the image") \
    X("always",           "function",            "sqs:SendMessage",   "Lambda sends what it gave up to the on-failure destination") \
    X("Trigger: queue",   "function",            "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes", "Lambda takes events from the queue") \
    X("KmsKeyArn",        "function worker",     "kms:Decrypt kms:GenerateDataKey", "S3 opens originals and seals outputs; parts of an upload want both") \
    X("KmsKeyArn",        "api",                 "kms:GenerateDataKey", "S3 seals an upload, which the API has signed") \
    X("SubnetIds",        "function api",        "ec2:CreateNetworkInterface ec2:DescribeNetworkInterfaces ec2:DescribeSubnets ec2:DeleteNetworkInterface " \
                                                 "ec2:AssignPrivateIpAddresses ec2:UnassignPrivateIpAddresses", "Lambda joins the VPC; denied to the function's own code")

#endif
